#pragma once
// A trial's training data, tokenized and packed, with the summary that plans are computed from, and its cache
// on disk. The cache holds finished rows; its key covers content, tokenizer and every setting that shapes a
// row, so a stale entry cannot be found. Any thread with its own Tokenizer; several processes may share one
// cache folder.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/text/documents.h"
#include "common/text/rows.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

struct DataSummary {
  int64_t documents = 0;
  int64_t tokens = 0;     // in rows, without padding; one epoch
  int64_t rows = 0;       // one epoch
  int64_t shortened = 0;  // examples cut at max_tokens
  int64_t dropped = 0;    // documents that left nothing to predict
  std::string sha256;  // of the content of all sources, their weights, and their kinds where only a name says
                       // them (data_files.h): the data's part in a trial's id
  std::string format;  // for people, as found
};
template <class Ar>
void fields(Ar& ar, DataSummary& s) {
  ar("documents", s.documents)("tokens", s.tokens)("rows", s.rows);
  ar("shortened", s.shortened)("dropped", s.dropped)("sha256", s.sha256)("format", s.format);
}

struct Dataset {
  std::vector<Row> rows;
  DataSummary summary;
};

// Weights: a source of weight w is read floor(w) times, then its documents evenly thinned to the remaining
// share. data.replay adds rows of plain text, packed by themselves, until they are `share` of all rows; its
// documents are repeated from the start when there are too few. RowOrder mixes them in.
// Throws: DataError (a file, or data that makes no row), TokenizerError.
Dataset load_dataset(const DataSettings&, const Tokenizer&);

// The same through a cache folder, which is made when absent and has a limit (rows_cache.h). An entry that is
// torn or corrupt is rebuilt.
Dataset load_dataset(const DataSettings&, const Tokenizer&, const std::filesystem::path& cache_folder);

}  // namespace ranktide
