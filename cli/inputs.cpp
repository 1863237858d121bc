#include "cli/inputs.h"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/folders.h"
#include "cli/named_models.h"
#include "cli/named_source.h"
#include "common/content/hash_cache.h"
#include "common/content/hub_cache.h"
#include "common/model/base_identity.h"
#include "common/model/safetensors.h"
#include "common/model/shape.h"
#include "common/sweep/eval_tasks.h"
#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/text/data_files.h"
#include "common/text/data_index.h"
#include "common/text/eval_items.h"
#include "common/text/tokenizer.h"
#include "common/text/unicode.h"
#include "common/vocabulary/content_name.h"
#include "common/vocabulary/sha256.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

using Say = std::function<void(const std::string&)>;

constexpr uintmax_t kQuickBytesMax = uintmax_t{1} << 20;  // of eval data that is read without a word

// Of an eval's size in the cache. The number is raised when equal files would give other items, or the size
// says something else.
const std::string kSizeKey = "eval size 1:";

// Returns: nullopt for a text that another wrote there: what is only predicted by it stops nobody.
std::optional<EvalSize> size_in(const std::string& text) try {
  const auto size = from_json<EvalSize>(parse_json(text));
  return size.tokens > 0 ? std::optional(size) : std::nullopt;
} catch (const std::runtime_error&) {
  return std::nullopt;
}

const std::string& tokenizer_name(const ModelSettings& model) {
  return model.tokenizer.empty() ? model.path : model.tokenizer;
}

std::vector<fs::path> model_files(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const char* name : kModelFiles)
    if (fs::is_regular_file(folder / name)) out.push_back(folder / name);
  return out;
}

// What a sweep reads is listed by name in JSON, which holds text only.
void require_utf8(const fs::path& file) {
  const std::string shown = valid_utf8(file.string());
  if (shown != file.string())
    throw DataError(shown + ": this name is not UTF-8, as that of every data file must be; rename the file");
}

bool can_write_in(const fs::path& folder) {
  std::error_code refused;
  fs::create_directories(folder, refused);
  return access(folder.c_str(), W_OK) == 0;
}

class InputReader {
 public:
  InputReader(const fs::path& cache, const Say& say, std::map<std::string, FolderElsewhere> elsewhere,
              std::vector<std::string> unreadable)
      : cache_folder_(cache), hashes_(cache), say_(say), elsewhere_(std::move(elsewhere)) {
    read_.unreadable = std::move(unreadable);
  }

  void model(const ModelSettings& m) {
    if (is_nowhere(m)) return;
    attempt([&] {
      const ModelShape shape = read_shape(folder_of(m.path));
      contexts_[m.path] = shape.context;
      const BaseId base = base_at(m.path);
      const Tokenizer& tokenizer = tokenizer_of(m);
      if (!m.tokenizer.empty()) record_tokenizer(m.tokenizer);
      read_.inputs.models[model_key(m)] = {
          .path = m.path, .base = base, .tokenizer_sha256 = tokenizer.sha256(), .shape = shape};
    });
  }

  void data(const WantedData& wanted) {
    refuse_rows_beyond_context(wanted);
    if (is_nowhere(wanted.model) || is_nowhere(wanted.data)) return;
    attempt([&] {
      const Tokenizer& tokenizer = tokenizer_of(wanted.model);
      say_("reading " + wanted.data.train.front().path);
      // Without a place for its cache it is only read anew each time; whoever has to write there says what is
      // wrong.
      const Dataset dataset = can_write_in(cache_folder_) ? load_dataset(wanted.data, tokenizer, cache_folder_)
                                                          : load_dataset(wanted.data, tokenizer);
      for (const DataSource& source : wanted.data.train)
        record(source.path, source.path, data_files(source.path));
      if (const auto& replay = wanted.data.replay) record(replay->path, replay->path, data_files(replay->path));
      const DataSummary& s = dataset.summary;
      read_.inputs.data[data_key(wanted.data, tokenizer.sha256())] = {.sha256 = s.sha256,
                                                                      .documents = s.documents,
                                                                      .tokens = s.tokens,
                                                                      .rows = s.rows,
                                                                      .labels = label_count(dataset.rows)};
      say_(fmt::format("  {}: {} documents, {} tokens, {} rows an epoch", s.format, s.documents, s.tokens,
                       s.rows));
      if (s.dropped > 0) say_(fmt::format("  {} documents left nothing to learn and were dropped", s.dropped));
      if (s.shortened > 0)
        say_(fmt::format("  {} examples were cut at {} tokens", s.shortened, wanted.data.max_tokens));
    });
  }

  void file(const std::string& path) {
    if (is_content_text(path) || is_task_text(path)) return;  // said where evals are looked at
    attempt([&] {
      read_.inputs.files[path] = hashes_.sha256_of(path);
      record(path, path, {path});
      if (const auto kind = kind_by_name_alone(path)) read_.inputs.read_as[path] = text_of(*kind);
    });
  }

  // Items are cut as a trainer cuts them, who would find a bad row when half of the sweep has run.
  void items(const WantedEval& wanted) {
    if (const auto why = unbuilt(wanted.spec)) return remember(read_.unreadable, *why);
    if (is_task_text(wanted.spec.data)) return remember(read_.unreadable, missing_items(wanted.spec.data));
    if (is_nowhere(wanted.model)) return;
    if (!read_.inputs.files.contains(wanted.spec.data)) return;  // why is said already
    attempt([&] {
      const Tokenizer& tokenizer = tokenizer_of(wanted.model);
      const std::string how = sha256_hex(tokenizer.sha256() + to_json(wanted.spec).dump());
      const std::string size = hashes_.remembered(kSizeKey + how, {wanted.spec.data}, [&] {
        if (fs::file_size(wanted.spec.data) > kQuickBytesMax) say_("checking " + wanted.spec.data);
        return to_json(eval_size_of(load_eval_items(wanted.spec, tokenizer))).dump();
      });
      const std::string id = eval_spec_id(with_content(wanted.spec, read_.inputs), read_.inputs);
      if (const auto read = size_in(size)) read_.eval_sizes[eval_size_key(id, tokenizer.sha256())] = *read;
    });
  }

  void source(const std::string& from, const ContentSources& sources) {
    try {
      read_.inputs.sources[from] = source_named(from, sources);
    } catch (const std::runtime_error& e) {
      remember(read_.unreadable, "model.from: " + from + " " + e.what());
    }
  }

  InputsRead take() { return std::move(read_); }

 private:
  fs::path folder_of(const std::string& path) const {
    const auto known = elsewhere_.find(path);
    return known == elsewhere_.end() ? model_folder(path) : known->second.here;
  }

  // Of weights on another machine the hashes are all there is.
  BaseId base_at(const std::string& path) {
    if (const auto known = elsewhere_.find(path); known != elsewhere_.end()) {
      for (const InputFile& file : known->second.files) record(known->second, file);
      return base_made_by(known->second);
    }
    const fs::path folder = model_folder(path);
    const WeightFiles weights{folder};  // headers only: a damaged file is told now and not by the first trial
    const BaseId base = base_id_of(folder, [this](const fs::path& file) { return sha256_of_weights(file); });
    std::vector<fs::path> files = model_files(folder);
    files.insert(files.end(), weights.paths().begin(), weights.paths().end());
    record(path, folder, files);
    return base;
  }

  void record_tokenizer(const std::string& path) {
    const auto known = elsewhere_.find(path);
    if (known == elsewhere_.end()) return record(path, model_folder(path), model_files(model_folder(path)));
    for (const InputFile& file : known->second.files)
      if (is_model_file(file.path)) record(known->second, file);
  }

  void refuse_rows_beyond_context(const WantedData& wanted) {
    const auto context = contexts_.find(wanted.model.path);
    if (context == contexts_.end() || wanted.data.max_tokens <= context->second) return;
    remember(
        read_.refused,
        fmt::format("data.max_tokens: {} is longer than the context of {}, {} tokens "
                    "(max_position_embeddings in its config.json); write at most that, or take another model",
                    wanted.data.max_tokens, wanted.model.path, context->second));
  }

  // A name by content that still stands there has its message already (named_content.h, named_models.h).
  static bool is_nowhere(const ModelSettings& model) {
    return is_content_text(model.path) || is_content_text(model.tokenizer);
  }
  static bool is_nowhere(const DataSettings& data) {
    const auto is_name = [](const auto& source) { return is_content_text(source.path); };
    return std::any_of(data.train.begin(), data.train.end(), is_name) || (data.replay && is_name(*data.replay));
  }

  // One unreadable model is named once, though its tokenizer is wanted by every data set.
  void attempt(const std::function<void()>& act) {
    try {
      act();
    } catch (const std::runtime_error& e) {
      remember(read_.unreadable, e.what());
    }
  }

  // As HashCache::sha256_of, but it says so before it reads a gigabyte.
  std::string sha256_of_weights(const fs::path& file) {
    return hashes_.remembered("file:" + file.string(), {file}, [&] {
      say_("hashing " + file.string());
      return sha256_of_file(file);
    });
  }

  // root: as the settings name it; place: where that lies here.
  void record(const std::string& root, const fs::path& place, const std::vector<fs::path>& files) {
    if (files.size() > kInputFilesMax)
      return say_(
          fmt::format("  {}: {} files are more than the {} that workers look for by content: they must "
                      "see them at the same path, or join them into fewer",
                      root, files.size(), kInputFilesMax));
    for (const fs::path& file : files) {
      require_utf8(file);
      const std::string below = file == place ? "" : "/" + file.lexically_relative(place).generic_string();
      read_.inputs.contents[root + below] = {.sha256 = hashes_.sha256_of(file),
                                             .bytes = static_cast<int64_t>(fs::file_size(file))};
    }
  }

  void record(const FolderElsewhere& folder, const InputFile& file) {
    const std::string path = folder.root + "/" + file.path;
    read_.inputs.contents[path] = {.sha256 = file.sha256, .bytes = file.bytes};
    read_.elsewhere.insert(path);
  }

  static void remember(std::vector<std::string>& messages, const std::string& message) {
    if (std::find(messages.begin(), messages.end(), message) == messages.end()) messages.push_back(message);
  }

  const Tokenizer& tokenizer_of(const ModelSettings& m) {
    const std::string& name = tokenizer_name(m);
    const auto found = tokenizers_.find(name);
    return found != tokenizers_.end()
               ? found->second
               : tokenizers_.emplace(name, Tokenizer::load(folder_of(name))).first->second;
  }

  fs::path cache_folder_;
  HashCache hashes_;
  const Say& say_;
  std::map<std::string, FolderElsewhere> elsewhere_;  // by path
  std::map<std::string, Tokenizer> tokenizers_;       // by name
  std::map<std::string, int64_t> contexts_;           // tokens, by model path
  InputsRead read_;
};

}  // namespace

InputsRead read_inputs(SweepSpec& spec, const ContentSources& sources) {
  std::vector<std::string> nowhere = place_named_content(spec, sources);
  PlacedModels models = place_named_models(spec, sources);
  nowhere.insert(nowhere.end(), models.messages.begin(), models.messages.end());
  const WantedInputs wanted = wanted_inputs(spec);
  InputReader reader(cache_folder(sources.data), sources.say, std::move(models.elsewhere), std::move(nowhere));
  for (const ModelSettings& m : wanted.models) reader.model(m);
  for (const WantedData& d : wanted.data) reader.data(d);
  for (const std::string& f : wanted.files) reader.file(f);
  for (const WantedEval& e : wanted.evals) reader.items(e);
  for (const std::string& from : wanted.sources) reader.source(from, sources);
  return reader.take();
}

}  // namespace ranktide::cli
