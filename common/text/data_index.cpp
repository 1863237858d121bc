#include "common/text/data_index.h"

#include <algorithm>
#include <cmath>

#include "common/text/rows_cache.h"
#include "common/text/rows_file.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

// Raised when equal inputs would give other rows, so that old cache entries are not found.
constexpr int kRowsVersion = 2;

// How often document `i` of a source is read: floor(weight) times, and once more for an evenly spread share of
// them.
int64_t repeats(size_t i, double weight) {
  const double whole = std::floor(weight);
  const double share = weight - whole;
  const auto place = static_cast<double>(i);
  const bool once_more = std::floor((place + 1) * share) > std::floor(place * share);
  return static_cast<int64_t>(whole) + (once_more ? 1 : 0);
}

RowRules rules_of(const DataSettings& settings) {
  return {.max_tokens = settings.max_tokens,
          .packing = settings.packing ? Packing::packed : Packing::one_document_a_row,
          .loss = settings.mask_prompt ? Loss::on_learned_spans : Loss::on_everything};
}

void append_format(std::string& formats, const std::string& format) {
  if (formats.find(format) == std::string::npos) formats += (formats.empty() ? "" : ", ") + format;
}

void require_weight(const DataSource& source) {
  if (source.weight > 0 && source.weight <= 1000) return;
  throw DataError("data.train: the weight of " + source.path + " must be above 0 and at most 1000");
}

void add_sources(const DataSettings& settings, const Tokenizer& tokenizer, RowBuilder& builder,
                 DataSummary& summary) {
  for (const DataSource& source : settings.train) {
    require_weight(source);
    const Documents documents =
        read_documents(source.path, {settings.format, settings.fields, settings.form}, tokenizer);
    append_format(summary.format, documents.format);
    for (size_t i = 0; i < documents.items.size(); ++i) {
      const int64_t times = repeats(i, source.weight);
      if (times == 0) continue;
      const EncodedDocument encoded = encode_document(documents.items[i], tokenizer);
      for (int64_t t = 0; t < times; ++t) builder.add(encoded);
      summary.documents += times;
    }
  }
}

// Returns: how many rows of replay make `share` of all rows beside `rows` others.
int64_t replay_count(size_t rows, double share) {
  if (!(share >= 0 && share < 1)) throw DataError("data.replay: share must be at least 0 and below 1");
  return std::llround(static_cast<double>(rows) * share / (1 - share));
}

std::vector<Row> replay_rows(const DataSettings& settings, const Tokenizer& tokenizer, int64_t count) {
  DataSettings plain{.train = {{settings.replay->path, 1}}, .format = DataFormat::text};
  plain.max_tokens = settings.max_tokens;
  plain.packing = settings.packing;
  const std::vector<Row> all = load_dataset(plain, tokenizer).rows;
  std::vector<Row> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(all[static_cast<size_t>(i) % all.size()]);
  return rows;
}

std::string content_sha256(const DataSettings& settings) {
  Json parts = Json::array();
  for (const DataSource& source : settings.train) parts.push_back({data_sha256(source.path), source.weight});
  if (settings.replay) parts.push_back({"replay", data_sha256(settings.replay->path), settings.replay->share});
  return sha256_hex(parts.dump());
}

std::string cache_key(const DataSettings& settings, const Tokenizer& tokenizer, const std::string& content) {
  Json shape = to_json(settings);
  shape.erase("train");  // paths: their content stands in `content`
  shape.erase("replay");
  return sha256_hex(Json({{"version", kRowsVersion},
                          {"content", content},
                          {"tokenizer", tokenizer.sha256()},
                          {"settings", shape}})
                        .dump());
}

Dataset build(const DataSettings& settings, const Tokenizer& tokenizer, std::string content) {
  Dataset dataset;
  RowBuilder builder(rules_of(settings));
  add_sources(settings, tokenizer, builder, dataset.summary);
  dataset.summary.shortened = builder.counts().shortened;
  dataset.summary.dropped = builder.counts().dropped;
  dataset.rows = builder.take();
  if (dataset.rows.empty())
    throw DataError(
        "data.train: " + settings.train.front().path +
        " makes no row to train on: its documents are empty, or each prompt alone fills data.max_tokens (" +
        std::to_string(settings.max_tokens) + ") so that no completion is left");
  if (settings.replay) {
    const int64_t count = replay_count(dataset.rows.size(), settings.replay->share);
    for (Row& row : replay_rows(settings, tokenizer, count)) dataset.rows.push_back(std::move(row));
    append_format(dataset.summary.format, "replay (text)");
  }
  for (const Row& row : dataset.rows) dataset.summary.tokens += static_cast<int64_t>(row.tokens.size());
  dataset.summary.rows = static_cast<int64_t>(dataset.rows.size());
  dataset.summary.sha256 = std::move(content);
  return dataset;
}

void require_sources(const DataSettings& settings) {
  if (settings.train.empty())
    throw DataError("data.train names no file; give a file, a folder or a list of them");
  if (settings.max_tokens < 2)
    throw DataError("data.max_tokens must be at least 2: one token predicts nothing");
}

}  // namespace

Dataset load_dataset(const DataSettings& settings, const Tokenizer& tokenizer) {
  require_sources(settings);
  return build(settings, tokenizer, content_sha256(settings));
}

Dataset load_dataset(const DataSettings& settings, const Tokenizer& tokenizer,
                     const std::filesystem::path& cache_folder) {
  require_sources(settings);
  std::string content = content_sha256(settings);
  const std::filesystem::path file = cache_folder / (cache_key(settings, tokenizer, content) + ".rows");
  if (auto cached = read_rows_file(file)) {
    note_use_of_rows(file);
    return std::move(*cached);
  }
  Dataset dataset = build(settings, tokenizer, std::move(content));
  write_rows_file(file, dataset);
  limit_rows(file, kRowsKeptBytesMax);
  return dataset;
}

}  // namespace ranktide
