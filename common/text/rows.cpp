#include "common/text/rows.h"

#include <algorithm>
#include <numeric>

#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

constexpr size_t kSegmentTokensMin = 2;  // one token predicts nothing

bool has_target(const EncodedDocument& document, size_t from, size_t to, Loss loss) {
  if (to < from + kSegmentTokensMin) return false;
  if (document.kind == DocumentKind::plain || loss == Loss::on_everything) return true;
  return std::find(document.learned.begin() + static_cast<std::ptrdiff_t>(from) + 1,
                   document.learned.begin() + static_cast<std::ptrdiff_t>(to),
                   uint8_t{1}) != document.learned.begin() + static_cast<std::ptrdiff_t>(to);
}

}  // namespace

int64_t label_count(const std::vector<Row>& rows) {
  int64_t out = 0;
  for (const Row& row : rows)
    out += std::ssize(row.targets) - std::count(row.targets.begin(), row.targets.end(), kNoTarget);
  return out;
}

RowBuilder::RowBuilder(RowRules rules) : rules_(rules) {
  RT_CHECK(rules.max_tokens >= 2);
}

void RowBuilder::add(const EncodedDocument& document) {
  RT_CHECK(document.tokens.size() == document.learned.size());
  const auto row_tokens = static_cast<size_t>(rules_.max_tokens);
  if (document.kind == DocumentKind::example) {
    const size_t size = std::min(document.tokens.size(), row_tokens);
    if (!has_target(document, 0, size, rules_.loss)) {
      ++counts_.dropped;
      return;
    }
    if (size < document.tokens.size()) ++counts_.shortened;
    if (open_.tokens.size() + size > row_tokens) close_row();
    add_segment(document, 0, size);
  } else {
    if (!has_target(document, 0, document.tokens.size(), rules_.loss)) ++counts_.dropped;
    for (size_t from = 0; from + kSegmentTokensMin <= document.tokens.size();) {
      if (open_.tokens.size() + kSegmentTokensMin > row_tokens) close_row();
      const size_t to = std::min(document.tokens.size(), from + row_tokens - open_.tokens.size());
      add_segment(document, from, to);
      from = to;
    }
  }
  if (rules_.packing == Packing::one_document_a_row) close_row();
}

void RowBuilder::add_segment(const EncodedDocument& document, size_t from, size_t to) {
  RT_CHECK(open_.tokens.size() + (to - from) <= static_cast<size_t>(rules_.max_tokens));
  const bool all = document.kind == DocumentKind::plain || rules_.loss == Loss::on_everything;
  for (size_t i = from; i < to; ++i) {
    const bool has_next = i + 1 < to && (all || document.learned[i + 1] != 0);
    open_.tokens.push_back(document.tokens[i]);
    open_.targets.push_back(has_next ? document.tokens[i + 1] : kNoTarget);
  }
  open_.segment_ends.push_back(static_cast<int32_t>(open_.tokens.size()));
}

void RowBuilder::close_row() {
  if (!open_.tokens.empty()) rows_.push_back(std::move(open_));
  open_ = {};
}

std::vector<Row> RowBuilder::take() {
  close_row();
  return std::move(rows_);
}

std::vector<int64_t> row_order(int64_t rows, uint64_t seed, int64_t epoch) {
  RT_CHECK(rows >= 0);
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  SplitMix64(mix(seed, static_cast<uint64_t>(epoch))).shuffle(order);
  return order;
}

RowOrder::RowOrder(int64_t rows, uint64_t seed) : rows_(rows), seed_(seed) {
  RT_CHECK(rows > 0);
}

int64_t RowOrder::at(int64_t position) {
  RT_CHECK(position >= 0);
  const int64_t epoch = position / rows_;
  if (epoch != epoch_) order_ = row_order(rows_, seed_, epoch);
  epoch_ = epoch;
  return order_[static_cast<size_t>(position % rows_)];
}

int64_t row_at(int64_t rows, uint64_t seed, int64_t position) {
  return RowOrder(rows, seed).at(position);
}

}  // namespace ranktide
