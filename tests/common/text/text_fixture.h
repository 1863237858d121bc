#pragma once
// The small language of the tests of common/text: a folder that goes away, files in it, the committed
// tokenizers.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "common/text/tokenizer.h"

namespace ranktide {

class TextTest : public testing::Test {
 protected:
  TextTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~TextTest() override { std::filesystem::remove_all(folder_); }

  // Returns: the file's path.
  std::string file(const std::string& name, std::string_view content) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Returns: one of the small tokenizers that the golden script trains: gpt2 llama3 qwen2 smollm2 tekken.
  static Tokenizer small_tokenizer(const std::string& shape) {
    return Tokenizer::load(std::filesystem::path(RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer") / shape);
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("ranktide_text_" + std::to_string(getpid()));
};

// Returns: the message that `action` throws, as an Error; empty when it throws none.
template <class Error, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace ranktide
