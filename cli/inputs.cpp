#include "cli/inputs.h"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

#include "common/content/hash_cache.h"
#include "common/model/base_identity.h"
#include "common/model/safetensors.h"
#include "common/model/shape.h"
#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/text/data_index.h"
#include "common/text/tokenizer.h"
#include "common/vocabulary/sha256.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

using Say = std::function<void(const std::string&)>;

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code absent;  // base_id_of says what is wrong with a folder that is not there
  for (const auto& entry : fs::directory_iterator(folder, absent))
    if (entry.is_regular_file()) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

fs::path tokenizer_folder(const ModelSettings& model) {
  return model.tokenizer.empty() ? model.path : model.tokenizer;
}

bool can_write_in(const fs::path& folder) {
  std::error_code refused;
  fs::create_directories(folder, refused);
  return access(folder.c_str(), W_OK) == 0;
}

class InputReader {
 public:
  InputReader(const fs::path& cache_folder, const Say& say)
      : cache_folder_(cache_folder), hashes_(cache_folder), say_(say) {}

  void model(const ModelSettings& m) {
    attempt([&] {
      contexts_[m.path] = read_shape(m.path).context;
      WeightFiles{m.path};  // headers only: a damaged file is told now and not by the first trial
      const std::string base = hashes_.remembered("base:" + m.path, files_in(m.path), [&] {
        say_("hashing the base model " + m.path);
        return base_id_of(m.path).text;
      });
      const Tokenizer& tokenizer = tokenizer_of(m);
      read_.inputs.models[model_key(m)] = {
          .path = m.path, .base = BaseId{base}, .tokenizer_sha256 = tokenizer.sha256()};
    });
  }

  void data(const WantedData& wanted) {
    refuse_rows_beyond_context(wanted);
    attempt([&] {
      const Tokenizer& tokenizer = tokenizer_of(wanted.model);
      say_("reading " + wanted.data.train.front().path);
      // Without a place for its cache it is only read anew each time; whoever has to write there says what is
      // wrong.
      const Dataset dataset = can_write_in(cache_folder_) ? load_dataset(wanted.data, tokenizer, cache_folder_)
                                                          : load_dataset(wanted.data, tokenizer);
      const DataSummary& s = dataset.summary;
      read_.inputs.data[data_key(wanted.data, tokenizer.sha256())] = {
          .sha256 = s.sha256, .documents = s.documents, .tokens = s.tokens, .rows = s.rows};
      say_(fmt::format("  {}: {} documents, {} tokens, {} rows an epoch", s.format, s.documents, s.tokens,
                       s.rows));
      if (s.dropped > 0) say_(fmt::format("  {} documents left nothing to learn and were dropped", s.dropped));
      if (s.shortened > 0)
        say_(fmt::format("  {} examples were cut at {} tokens", s.shortened, wanted.data.max_tokens));
    });
  }

  void file(const std::string& path) {
    attempt([&] {
      read_.inputs.files[path] =
          hashes_.remembered("file:" + path, {path}, [&] { return sha256_of_file(path); });
    });
  }

  InputsRead take() { return std::move(read_); }

 private:
  void refuse_rows_beyond_context(const WantedData& wanted) {
    const auto context = contexts_.find(wanted.model.path);
    if (context == contexts_.end() || wanted.data.max_tokens <= context->second) return;
    remember(
        read_.refused,
        fmt::format("data.max_tokens: {} is longer than the context of {}, {} tokens "
                    "(max_position_embeddings in its config.json); write at most that, or take another model",
                    wanted.data.max_tokens, wanted.model.path, context->second));
  }

  // One unreadable model is named once, though its tokenizer is wanted by every data set.
  void attempt(const std::function<void()>& act) {
    try {
      act();
    } catch (const std::runtime_error& e) {
      remember(read_.unreadable, e.what());
    }
  }

  static void remember(std::vector<std::string>& messages, const std::string& message) {
    if (std::find(messages.begin(), messages.end(), message) == messages.end()) messages.push_back(message);
  }

  const Tokenizer& tokenizer_of(const ModelSettings& m) {
    const fs::path folder = tokenizer_folder(m);
    const auto found = tokenizers_.find(folder);
    return found != tokenizers_.end() ? found->second
                                      : tokenizers_.emplace(folder, Tokenizer::load(folder)).first->second;
  }

  fs::path cache_folder_;
  HashCache hashes_;
  const Say& say_;
  std::map<fs::path, Tokenizer> tokenizers_;
  std::map<std::string, int64_t> contexts_;  // tokens, by model path
  InputsRead read_;
};

}  // namespace

InputsRead read_inputs(const SweepSpec& spec, const fs::path& cache_folder, const Say& say) {
  const WantedInputs wanted = wanted_inputs(spec);
  InputReader reader(cache_folder, say);
  for (const ModelSettings& m : wanted.models) reader.model(m);
  for (const WantedData& d : wanted.data) reader.data(d);
  for (const std::string& f : wanted.files) reader.file(f);
  return reader.take();
}

}  // namespace ranktide::cli
