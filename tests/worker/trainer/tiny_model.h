#pragma once
// A random Llama-style model small enough for milliseconds, as a Hugging Face folder with the committed
// SmolLM2-shaped tokenizer. Its weights are a pure function of a seed, mirrored in
// tests/golden/make_eval_goldens.py.

#include <cstdint>
#include <filesystem>
#include <string>

namespace ranktide {

inline constexpr int64_t kTinyVocabulary = 1024;  // the tokenizer has 900 ids
inline constexpr int64_t kTinyContext = 256;

inline constexpr int64_t kTinyFfn = 64;

// Writes config.json, model.safetensors and the tokenizer's files into `folder`, which is made.
void write_tiny_model(const std::filesystem::path& folder, uint64_t seed = 42, int64_t ffn = kTinyFfn);

// A folder of one test's own, removed at the end unless the test failed.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::filesystem::path path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& file);
void write_file(const std::filesystem::path& file, const std::string& text);

}  // namespace ranktide
