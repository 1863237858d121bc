#pragma once
// Documents -> packed rows of at most max_tokens tokens, and the order in which training reads them.
// Pure and deterministic: same documents and settings, same rows; same (seed, position), same row. Any thread.

#include <cstdint>
#include <vector>

#include "common/text/documents.h"

namespace ranktide {

constexpr int32_t kNoTarget = -100;  // a position without loss

// One sequence of a batch. Segments are independent documents or parts of one: attention and positions restart
// at each.
struct Row {
  std::vector<int32_t> tokens;   // (T), T <= max_tokens, never padded
  std::vector<int32_t> targets;  // (T), the next token's id or kNoTarget; kNoTarget at the end of each segment
  std::vector<int32_t> segment_ends;  // ascending, exclusive; the last one is T
  friend bool operator==(const Row&, const Row&) = default;
};

// Returns: their positions with a loss.
int64_t label_count(const std::vector<Row>& rows);

enum class Packing { packed, one_document_a_row };
enum class Loss { on_everything, on_learned_spans };

struct RowRules {
  int max_tokens = 1024;
  Packing packing = Packing::packed;
  Loss loss = Loss::on_learned_spans;  // of examples; plain text always has loss everywhere
};

struct RowCounts {
  int64_t shortened = 0;  // examples longer than a row, cut at its end
  int64_t dropped = 0;    // documents that left nothing to predict: under two tokens, or completion cut away
};

// Adds documents one by one; greedy in document order. Plain text fills the open row and goes on in the next
// one; an example that does not fit into the open row starts a new one.
class RowBuilder {
 public:
  explicit RowBuilder(RowRules rules);  // Requires: max_tokens >= 2
  void add(const EncodedDocument& document);
  // Returns: all rows; the builder is spent.
  std::vector<Row> take();
  const RowCounts& counts() const { return counts_; }

 private:
  void add_segment(const EncodedDocument& document, size_t from, size_t to);
  void close_row();

  RowRules rules_;
  std::vector<Row> rows_;
  Row open_;
  RowCounts counts_;
};

// Returns: the permutation of [0, rows) in which epoch number `epoch` (from 0) reads the rows.
std::vector<int64_t> row_order(int64_t rows, uint64_t seed, int64_t epoch);

// The endless sequence of rows of one trial. at(p) depends on (rows, seed, p) only, so a smaller budget reads a
// prefix of what a larger one reads. One thread per object: it remembers the permutation of the epoch asked
// last.
class RowOrder {
 public:
  RowOrder(int64_t rows, uint64_t seed);  // Requires: rows > 0
  // Returns: the index of the row that is read at `position` (rows read before it, over all epochs).
  int64_t at(int64_t position);

 private:
  int64_t rows_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

// Returns: RowOrder{rows, seed}.at(position), for a single look.
int64_t row_at(int64_t rows, uint64_t seed, int64_t position);

}  // namespace ranktide
