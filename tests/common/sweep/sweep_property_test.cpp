// What holds for every sweep file, tried on files drawn from fixed seeds.
#include <algorithm>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"
#include "tests/common/sweep/sweep_language.h"
#include "tests/fuzz/expression_print.h"

namespace ranktide {
namespace {

using Lines = std::vector<std::string>;

constexpr uint64_t kFiles = 8;

std::string indented(const Lines& lines) {
  std::string out;
  for (const auto& line : lines) out += "  " + line + "\n";
  return out;
}

// A file in pieces whose order means nothing.
struct DrawnFile {
  Lines top;     // keys and constructs but `axes` and `blocks`
  Lines axes;    // some read what others set
  Lines blocks;  // each on one line
  Lines likes;   // blocks that are like an earlier one

  std::string text() const {
    std::string out;
    for (const auto& line : top) out += line + "\n";
    out += "axes:\n" + indented(axes);
    return out + (blocks.empty() ? "" : "blocks:\n" + indented(blocks) + indented(likes));
  }
  void shuffle(SplitMix64& random) {
    random.shuffle(top);
    random.shuffle(axes);
    random.shuffle(blocks);
    random.shuffle(likes);
  }
};

// Returns: some of the items, in their order.
Lines some_of(const Lines& items, SplitMix64& random) {
  Lines out;
  for (const auto& item : items)
    if (random.below(2) == 0) out.push_back(item);
  return out;
}

std::string map_of(Lines items, SplitMix64& random) {
  random.shuffle(items);
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return "{" + out + "}";
}

DrawnFile drawn_file(uint64_t seed) {
  SplitMix64 random(seed);
  DrawnFile out;
  out.top = {"version: 1", "name: s", "model.path: m", "budget.steps: 4", "train.lr: 1e-4"};
  for (auto& line : some_of(
           {"train.clip: 0.5", "seeds: 2", "train.eps: 1e-6", "data.max_tokens: 64", "train.schedule: linear",
            "derive: {train.weight_decay: 1e-3 if batch > 2 else 0}", "exclude: [{train.batch: 2, regime: a}]",
            "zip: {size: {train.attention_dropout: [0, 0.1], train.final_lr: [0, 1%]}}"},
           random))
    out.top.push_back(line);
  out.axes = {"train.batch: [1, 2]", "train.warmup: [0%]"};
  if (random.below(2) == 0) {
    out.axes.insert(out.axes.end(), {"train.optimizer: {values: [adamw, lion], when: batch > 1}",
                                     "model.dtype: {values: [bf16, fp32], when: optimizer == lion}"});
  }
  out.top.push_back("rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt, data.packing: false}}}");
  const Lines more =
      some_of({"lora.alpha: 8", "lora.target: [attn, all]", "train.batch: [4, 8]", "regime: a"}, random);
  Lines lora{"method: lora", "lora.rank: [2, 4]"};
  lora.insert(lora.end(), more.begin(), more.end());
  out.blocks = {"full: {method: full, train.lr: [1e-5, 2e-5]}", "lora: " + map_of(lora, random)};
  out.likes = some_of({"wide: {like: lora, lora.rank: [4, 64]}", "slow: {like: full, train.lr: 1e-6}"}, random);
  return out;
}

TEST(SweepProperties, TheOrderOfKeysAndBlocksChangesNoId) {
  for (uint64_t seed = 0; seed < kFiles; ++seed) {
    DrawnFile file = drawn_file(seed);
    const auto ids = ids_of(sweep(file.text()));
    SplitMix64 random(seed + 1000);
    for (int time = 0; time < 2; ++time) {
      file.shuffle(random);
      EXPECT_EQ(ids_of(sweep(file.text())), ids) << file.text();
    }
  }
}

TEST(SweepProperties, BlocksInFilesOfTheirOwnHaveTheSameIds) {
  for (uint64_t seed = 0; seed < kFiles; ++seed) {
    DrawnFile file = drawn_file(seed);
    file.likes.clear();
    const auto together = ids_of(sweep(file.text()));
    std::set<std::string> apart;
    for (const auto& block : drawn_file(seed).blocks) {
      file.blocks = {block};
      apart.merge(ids_of(sweep(file.text())));
    }
    EXPECT_EQ(apart, together) << drawn_file(seed).text();
  }
}

TEST(SweepProperties, TrialsAreAsManyAsDistinctIds) {
  for (uint64_t seed = 0; seed < kFiles; ++seed) {
    const SweepSpec spec = sweep(drawn_file(seed).text());
    const auto trials = trials_of(spec);
    EXPECT_EQ(ids_of(spec).size(), trials.size());
    EXPECT_EQ(trial_count(spec, Grid(spec).counts()), static_cast<int64_t>(trials.size()))
        << drawn_file(seed).text();
  }
}

TEST(SweepProperties, AnOverrideIsTheEditedFile) {
  struct Change {
    std::string override_text, edit;
  };
  const std::vector<Change> changes{{"train.batch=8", "train.batch: 8"},
                                    {"train.lr=1e-3,2e-3", "train.lr: [1e-3, 2e-3]"},
                                    {"lr=choice(1e-3,2e-3)", "train.lr: {values: [1e-3, 2e-3]}"},
                                    {"train.batch=range(1,4)", "train.batch: [1, 2, 3]"},
                                    {"train.weight_decay=0.1", "train.weight_decay: 0.1"},
                                    {"regime=b", "regime: b"},
                                    {"train.betas=[0.5,0.9]", "train.betas: [0.5, 0.9]"},
                                    {"budget.epochs=2", "budget.epochs: 2"}};
  for (uint64_t seed = 0; seed < kFiles; ++seed) {
    DrawnFile file = drawn_file(seed);
    const Change& change = changes[seed % changes.size()];
    const std::string pinned = change.edit.starts_with("regime") ? ", regime: a" : "";
    file.blocks = {"full: {method: full" + pinned + "}",
                   "lora: {method: lora, lora.rank: [2, 4]" + pinned + "}"};
    file.likes.clear();
    const auto overridden = ids_of(sweep(file.text(), {change.override_text}));
    file.blocks = {"full: {method: full, " + change.edit + "}",
                   "lora: {method: lora, lora.rank: [2, 4], " + change.edit + "}"};
    EXPECT_EQ(overridden, ids_of(sweep(file.text()))) << change.override_text << "\n" << file.text();
  }
}

// default < plain < common < like < block < command line, for every choice of levels that speak.
TEST(SweepProperties, TheHighestLevelThatSpeaksWins) {
  enum Level { plain = 1, common = 2, like = 4, block = 8, command_line = 16, all = 32 };
  for (int levels = 0; levels < all; ++levels) {
    const auto says = [&](Level level, const std::string& text) { return (levels & level) != 0 ? text : ""; };
    const std::string text = kHead + says(plain, "train.batch: 1\n") +
                             says(common, "derive: {train.batch: 2}\n") +
                             "blocks:\n  a: {method: full, train.eps: 1" + says(like, ", train.batch: 4") +
                             "}\n  b: {like: a, train.eps: 0.5" + says(block, ", train.batch: 8") + "}\n";
    Lines overrides;
    if ((levels & command_line) != 0) overrides = {"b:train.batch=16"};
    int64_t wanted = 16;  // the default, and the command line's
    if ((levels & command_line) == 0)
      for (const Level level : {plain, common, like, block})
        if ((levels & level) != 0) wanted = level;
    for (const auto& trial : trials_of(sweep(text, overrides))) {
      if (trial.blocks[0] == "b") {
        EXPECT_EQ(trial.settings.train.batch, wanted) << text;
      }
    }
  }
}

std::string drawn_expression(SplitMix64& random, int depth) {
  const auto part = [&] { return drawn_expression(random, depth - 1); };
  static const Lines kLeaves{"rank", "1e-4", "0.5", "attn", "'a b'", "10%", "3k", "lora.rank"};
  if (depth == 0 || random.below(5) == 0) return kLeaves[random.below(kLeaves.size())];
  static const Lines kOperations{" + ", " - ", " * ", " / ", " ** ", " and ", " or "};
  switch (random.below(6)) {
    case 0:
      return "(" + part() + ")";
    case 1:
      return "-" + drawn_expression(random, 0);
    case 2:
      return "max(" + part() + ", " + part() + ")";
    case 3:
      return "(" + part() + " if " + part() + " else " + part() + ")";
    case 4:
      return "(" + part() + " in (" + part() + ", " + part() + "))";
    default:
      return part() + kOperations[random.below(kOperations.size())] + part();
  }
}

TEST(SweepProperties, AnExpressionPrintsAndParsesToTheSame) {
  SplitMix64 random(7);
  for (int time = 0; time < 500; ++time) {
    const std::string text = drawn_expression(random, 4);
    const Expression once = parse_expression(text);
    EXPECT_TRUE(is_same_tree(once, parse_expression(printed(once)))) << text << "\n" << printed(once);
  }
}

}  // namespace
}  // namespace ranktide
