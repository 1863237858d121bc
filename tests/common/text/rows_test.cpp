#include "common/text/rows.h"

#include <gmock/gmock.h>
#include <numeric>

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<int32_t>;

// A document of tokens first, first + 1, ...; an example learns its last `learned` tokens.
EncodedDocument plain(int32_t first, size_t size) {
  EncodedDocument document{
      .kind = DocumentKind::plain, .tokens = Ids(size), .learned = std::vector<uint8_t>(size, 1)};
  std::iota(document.tokens.begin(), document.tokens.end(), first);
  return document;
}
EncodedDocument example(int32_t first, size_t size, size_t learned) {
  EncodedDocument document = plain(first, size);
  document.kind = DocumentKind::example;
  std::fill_n(document.learned.begin(), size - learned, uint8_t{0});
  return document;
}

std::vector<Row> rows_of(RowRules rules, const std::vector<EncodedDocument>& documents) {
  RowBuilder builder(rules);
  for (const EncodedDocument& document : documents) builder.add(document);
  return builder.take();
}

TEST(Rows, FillsRowsWithPlainTextAcrossTheirBorder) {
  EXPECT_THAT(
      rows_of({.max_tokens = 4}, {plain(10, 3), plain(20, 5)}),
      ElementsAre(Row{{10, 11, 12}, {11, 12, -100}, {3}}, Row{{20, 21, 22, 23}, {21, 22, 23, -100}, {4}}));
  EXPECT_THAT(
      rows_of({.max_tokens = 5}, {plain(10, 3), plain(20, 4)}),
      ElementsAre(Row{{10, 11, 12, 20, 21}, {11, 12, -100, 21, -100}, {3, 5}}, Row{{22, 23}, {23, -100}, {2}}));
}

TEST(Rows, NeverCutsAnExampleInTwo) {
  EXPECT_THAT(rows_of({.max_tokens = 5}, {example(10, 3, 2), example(20, 3, 2)}),
              ElementsAre(Row{{10, 11, 12}, {11, 12, -100}, {3}}, Row{{20, 21, 22}, {21, 22, -100}, {3}}));
}

TEST(Rows, HaveNoLossOnPromptsUnlessAsked) {
  const EncodedDocument document = example(10, 4, 1);
  EXPECT_EQ(rows_of({.max_tokens = 8}, {document})[0].targets, (Ids{-100, -100, 13, -100}));
  EXPECT_EQ(rows_of({.max_tokens = 8, .loss = Loss::on_everything}, {document})[0].targets,
            (Ids{11, 12, 13, -100}));
}

TEST(Rows, HaveAsManyLabelsAsPositionsWithALoss) {
  const std::vector<EncodedDocument> documents{example(10, 4, 1), plain(20, 3)};
  EXPECT_EQ(label_count(rows_of({.max_tokens = 4}, documents)), 1 + 2);
  EXPECT_EQ(label_count(rows_of({.max_tokens = 4, .loss = Loss::on_everything}, documents)), 3 + 2);
  EXPECT_EQ(label_count({}), 0);
}

TEST(Rows, HoldOneDocumentEachWithoutPacking) {
  const auto rows = rows_of({.max_tokens = 8, .packing = Packing::one_document_a_row},
                            {example(10, 3, 2), plain(20, 2), plain(30, 10)});
  ASSERT_EQ(rows.size(), 4u);  // the long text takes two rows
  for (const Row& row : rows) EXPECT_EQ(row.segment_ends.size(), 1u);
}

TEST(Rows, CountWhatIsShortenedAndDropped) {
  RowBuilder builder({.max_tokens = 4});
  builder.add(example(10, 9, 7));  // loses the end of its completion
  builder.add(example(20, 9, 2));  // loses all of it
  builder.add(plain(30, 1));       // nothing to predict
  EXPECT_EQ(builder.counts().shortened, 1);
  EXPECT_EQ(builder.counts().dropped, 2);
  EXPECT_EQ(builder.take().size(), 1u);
}

TEST(Rows, KeepEveryTokenOfPlainTextButLonelyOnes) {
  int64_t tokens = 0;
  std::vector<EncodedDocument> documents;
  for (int32_t i = 0; i < 200; ++i) documents.push_back(plain(100 * i, 2 + static_cast<size_t>(i * 7 % 61)));
  for (const Row& row : rows_of({.max_tokens = 16}, documents)) {
    EXPECT_LE(row.tokens.size(), 16u);
    EXPECT_EQ(row.targets.size(), row.tokens.size());
    EXPECT_EQ(static_cast<size_t>(row.segment_ends.back()), row.tokens.size());
    for (const int32_t end : row.segment_ends) EXPECT_EQ(row.targets[static_cast<size_t>(end) - 1], kNoTarget);
    tokens += static_cast<int64_t>(row.tokens.size());
  }
  int64_t all = 0;
  for (const EncodedDocument& document : documents) all += static_cast<int64_t>(document.tokens.size());
  EXPECT_LE(tokens, all);
  EXPECT_GE(tokens, all - 200);  // at most one a document
}

TEST(Rows, OfNothingAreNone) {
  EXPECT_THAT(rows_of({.max_tokens = 4}, {}), IsEmpty());
}

TEST(RowOrder, ReadsEveryRowOncePerEpochInAnOrderOfItsOwn) {
  RowOrder order(50, 7);
  std::vector<int64_t> first, second;
  for (int64_t p = 0; p < 50; ++p) first.push_back(order.at(p));
  for (int64_t p = 50; p < 100; ++p) second.push_back(order.at(p));
  EXPECT_NE(first, second);
  EXPECT_NE(first, row_order(50, 8, 0));
  for (auto* epoch : {&first, &second}) std::sort(epoch->begin(), epoch->end());
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.front(), 0);
  EXPECT_EQ(first.back(), 49);
}

TEST(RowOrder, DependsOnSeedAndPositionOnly) {
  RowOrder order(50, 7);
  for (const int64_t p : {120, 3, 77, 3}) EXPECT_EQ(order.at(p), row_at(50, 7, p));
}

// Frozen: another order under the same seed would give trials that share an id but not their training.
TEST(RowOrder, NeverChangesBetweenVersions) {
  EXPECT_THAT(row_order(6, 0, 0), ElementsAre(2, 1, 5, 4, 0, 3));
}

}  // namespace
}  // namespace ranktide
