// Grid's short cuts against the plain definition of a cell, over specs that a seed makes up: BlockCells gives
// its settings, resolve.h completes them, identity.h names them, and the first of equal ones stands for all.
#include <algorithm>
#include <gtest/gtest.h>

#include "common/sweep/cell_census.h"
#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"
#include "common/sweep/trial_values.h"
#include "common/vocabulary/random.h"
#include "tests/common/sweep/budget_sweeps.h"
#include "tests/common/sweep/sweep_language.h"
#include "tests/sanitised.h"

namespace ranktide {
namespace {

// ---- specs

class SpecMaker {
 public:
  explicit SpecMaker(uint64_t seed) : chance_(seed) {}

  SweepSpec spec() {
    SweepSpec out{.name = "s", .blocks = {}, .run = {}, .inputs = {}};
    const int64_t blocks = 1 + below(3);
    for (int64_t i = 0; i < blocks; ++i)
      out.blocks.push_back(block(std::string(1, static_cast<char>('a' + i))));
    if (blocks > 1 && below(3) == 0) {  // like: the same but for a constant or two
      const std::string name = out.blocks[1].name;
      out.blocks[1] = out.blocks[0];
      out.blocks[1].name = name;
      if (below(2)) out.blocks[1].exclude.clear();
      if (below(2)) out.blocks[1].constants["train.clip"] = 2.0;
    }
    out.seeds = below(2) ? std::vector<uint64_t>{0, 1} : std::vector<uint64_t>{5};
    if (below(4) == 0)
      out.random = RandomSearch{.cells = 1 + below(12), .seed = static_cast<uint64_t>(below(5))};
    return out;
  }

 private:
  int64_t below(int64_t bound) { return static_cast<int64_t>(chance_.below(static_cast<uint64_t>(bound))); }

  AxisPoint point(const std::string& key, const Json& value) {
    return {.label = value.is_string() ? value.get<std::string>() : value.dump(), .set = {{key, value}}};
  }

  Axis axis(const std::string& key, const std::vector<Json>& values, const std::string& when) {
    Axis out{.name = key, .points = {}, .when = when};
    for (const Json& value : values)
      if (out.points.empty() || below(3)) out.points.push_back(point(key, value));
    return out;
  }

  Axis regimes() {
    Axis out{.name = "regime", .points = {}, .when = ""};
    for (const char* name : {"code", "math", "same"}) {
      const std::string path = std::string(name) == "same" ? "/code.txt" : "/" + std::string(name) + ".txt";
      out.points.push_back({.label = name,
                            .set = {{"data.train", Json::array({{{"path", path}, {"weight", 1.0}}})},
                                    {"data.max_tokens", std::string(name) == "math" ? 64 : 128}}});
    }
    return out;
  }

  Block block(const std::string& name) {
    Block out{.name = name, .constants = {}, .axes = {}, .derive = {}, .exclude = {}};
    out.constants = {
        {"model.path", "/m"},     {"data.train", Json::array({{{"path", "/d.txt"}, {"weight", 1.0}}})},
        {"train.lr", 1e-4},       {"method", below(2) ? "lora" : "full"},
        {"lora.rank", 8},         {"budget.steps", 4},
        {"eval.at", {"1", "end"}}};
    if (below(12) == 0) out.constants.erase("train.lr");
    if (below(12) == 0) out.constants["budget.epochs"] = 2.0;
    if (below(6) == 0) out.constants["model.from"] = "trial:aa";
    const auto maybe = [&](const std::string& key, const std::vector<Json>& values,
                           const std::string& when = "") {
      if (below(3) == 0 && out.axes.size() < 4) out.axes.push_back(axis(key, values, below(2) ? when : ""));
    };
    maybe("method", {"lora", "full"});
    maybe("lora.rank", {4, 8, 16}, "method == lora");
    maybe("lora.target", {"attn", "all", "attn+mlp"}, "method == lora and rank > 4");
    maybe("train.lr", {1e-4, 2e-4, 1e-3});
    maybe("train.schedule", {"cosine", "constant", "wsd"});
    maybe("train.warmup", {Json{{"steps", 1}}, Json{{"steps", 2}}}, "train.schedule == cosine");
    maybe("train.weight_decay", {0.0, 0.1});
    maybe("train.decay_rule", {"times_lr", "per_step"}, "weight_decay > 0");
    maybe("eval.at", {Json{"0"}, Json{"2"}});
    if (below(3) == 0) out.axes.push_back(regimes());
    for (size_t i = out.axes.size(); i > 1; --i)
      std::swap(out.axes[i - 1], out.axes[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
    rules(out);
    include(out);
    return out;
  }

  void rules(Block& block) {
    const auto derive = [&](const char* key, std::vector<const char*> texts) {
      if (below(3) == 0) block.derive[key] = texts[static_cast<size_t>(below(std::ssize(texts)))];
    };
    const auto derive_unless_varied = [&](const char* key, std::vector<const char*> texts) {
      const bool is_varied =
          std::any_of(block.axes.begin(), block.axes.end(), [&](auto& a) { return a.name == key; });
      if (!is_varied) derive(key, std::move(texts));
    };
    derive("lora.alpha", {"2 * rank", "32 if rank < 16 else 64", "16"});
    derive("train.clip",
           {"lr * 1000", "lr * 1000 - 0.1", "1 if schedule == cosine else 2", "alpha / 8",
            "(final_lr + 1) * (weight_decay + 1) * (lr * 1000 + 1) * (16 if method == full else alpha)"});
    derive("train.batch", {"8", "rank", "16 / rank"});
    derive_unless_varied("train.schedule", {"'linear' if weight_decay > 0 else 'cosine'", "'linear'"});
    derive_unless_varied("lora.rank", {"16 if weight_decay > 0 else 4", "4"});
    derive("train.final_lr", {"0.1", "final_lr * 2"});
    const std::vector<const char*> rules{"rank > 8",
                                         "lr > 5e-4 and method == lora",
                                         "schedule == constant",
                                         "weight_decay == 0",
                                         "batch < 2 or alpha > 32",
                                         "clip * lr > 1",
                                         "target in (attn, all) and rank == 4",
                                         "final_lr > 0.05"};
    for (int64_t i = below(3); i > 0; --i)
      block.exclude.push_back({.text = rules[static_cast<size_t>(below(std::ssize(rules)))], .where = ""});
  }

  void include(Block& block) {
    if (below(3) > 0) return;
    IncludedCell cell{.points = {}, .where = "f:1:1"};
    for (const Axis& own : block.axes) {
      cell.points.push_back(own.points[static_cast<size_t>(below(std::ssize(own.points)))]);
      if (own.name == "train.lr" && below(2)) cell.points.back() = point("train.lr", 3e-4);
    }
    block.include.push_back(std::move(cell));
  }

  SplitMix64 chance_;
};

// ---- the definition

struct PlainCell {
  size_t block = 0;
  CellSettings cell;
  SettingValues values;
  Json identity;
};

struct PlainGrid {
  std::vector<std::optional<PlainCell>> cells;  // by number; nullopt: none, or excluded
  std::vector<BlockCount> counts;
};

std::optional<PlainCell> plain_cell(const SweepSpec& spec, const BlockCells& cells, size_t block,
                                    int64_t number, BlockCount& count) {
  auto cell = cells.at(number);
  if (!cell) return std::nullopt;
  if (const auto rule = cells.excluded_by(*cell)) {
    ++count.excluded;
    ++count.excluded_by_rule[*rule];
    return std::nullopt;
  }
  PlainCell out{.block = block, .cell = *cell, .values = complete(cell->set), .identity = {}};
  out.identity = identity_of(out.values, spec.inputs).settings;
  ++count.cells;
  count.included += cell->is_included ? 1 : 0;
  return out;
}

PlainGrid plain(const SweepSpec& spec) {
  PlainGrid out;
  std::map<Json, size_t> first;  // identity -> block
  for (size_t b = 0; b < spec.blocks.size(); ++b) {
    const BlockCells cells(spec.blocks[b], spec.random);
    BlockCount count{.block = spec.blocks[b].name, .axes = {}, .equal_to = {}, .excluded_by_rule = {}};
    count.excluded_by_rule.resize(spec.blocks[b].exclude.size());
    for (int64_t number = 0; number < cells.count(); ++number) {
      out.cells.push_back(plain_cell(spec, cells, b, number, count));
      if (!out.cells.back()) continue;
      const auto [it, is_new] = first.emplace(out.cells.back()->identity, b);
      if (is_new)
        count.trials += std::ssize(spec.seeds);
      else
        ++count.equal_to[spec.blocks[it->second].name];
    }
    if (count.cells == 0) throw SpecError("nothing left of block " + count.block);
    out.counts.push_back(std::move(count));
  }
  return out;
}

// Either what `act` gives, or that it throws: what is wrong is said by tests of each message.
template <class Act>
auto unless_refused(Act&& act) -> std::optional<decltype(act())> {
  try {
    return act();
  } catch (const SpecError&) {
    return std::nullopt;
  } catch (const ExpressionError&) {
    return std::nullopt;
  }
}

void expect_same_counts(const std::vector<BlockCount>& fast, const std::vector<BlockCount>& slow) {
  ASSERT_EQ(fast.size(), slow.size());
  for (size_t b = 0; b < fast.size(); ++b) {
    EXPECT_EQ(fast[b].cells, slow[b].cells);
    EXPECT_EQ(fast[b].included, slow[b].included);
    EXPECT_EQ(fast[b].excluded, slow[b].excluded);
    EXPECT_EQ(fast[b].excluded_by_rule, slow[b].excluded_by_rule);
    EXPECT_EQ(fast[b].equal_to, slow[b].equal_to);
    EXPECT_EQ(fast[b].trials, slow[b].trials);
  }
}

// The trial that the definition gives, as far as a block by itself decides it.
void expect_same_trial(const SweepSpec& spec, const SweepTrial& trial, const PlainCell& cell, uint64_t seed) {
  Json identity = cell.identity;
  const std::string in_cell = cell_id({.settings = identity}).text;
  identity["seed"] = seed;
  TrialSettings settings = trial_settings(cell.values);
  settings.seed = seed;
  const Step steps = steps_of(settings, nullptr);
  EXPECT_EQ(trial.id, trial_id({.settings = identity}));
  EXPECT_EQ(trial.cell.text, in_cell);
  EXPECT_EQ(trial.stage, stage_id({.settings = identity}, 0, steps));
  EXPECT_EQ(trial.steps, steps);
  EXPECT_EQ(to_json(trial.settings), to_json(settings));
  EXPECT_EQ(trial.blocks[0], spec.blocks[cell.block].name);
  for (const auto& [axis, label] : cell.cell.labels) EXPECT_EQ(trial.labels.at(axis), label);
  EXPECT_EQ(trial.labels.at("regime"),
            cell.cell.labels.contains("regime") ? cell.cell.labels.at("regime") : regime_label(settings.data));
  EXPECT_EQ(trial.labels.contains("lora.target"),
            settings.lora.has_value() || cell.cell.labels.contains("lora.target"));
  EXPECT_TRUE(trial.provisional);
  if (steps == 0) return;
  for (const Step at : eval_steps(cell.cell.set, settings, nullptr, steps))
    EXPECT_EQ(std::count(trial.eval_at.begin(), trial.eval_at.end(), at), 1);
}

void expect_same_trials(const SweepSpec& spec, const Grid& grid,
                        const std::vector<std::optional<PlainCell>>& cells) {
  const int64_t seeds = std::ssize(spec.seeds);
  ASSERT_EQ(grid.raw_count(), std::ssize(cells) * seeds);
  std::set<Json> seen;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto& cell = cells[static_cast<size_t>(raw / seeds)];
    const auto trial = grid.at(raw);
    if (raw % seeds == 0 && cell && !seen.insert(cell->identity).second) {
      for (int64_t seed = 0; seed < seeds; ++seed) EXPECT_FALSE(grid.at(raw + seed));
      raw += seeds - 1;
      continue;
    }
    ASSERT_EQ(trial.has_value(), cell.has_value()) << raw;
    if (trial) expect_same_trial(spec, *trial, *cell, spec.seeds[static_cast<size_t>(raw % seeds)]);
  }
}

TEST(GridProperty, CountsAndTrialsAreThoseOfThePlainDefinition) {
  int64_t compared = 0, drawn = 0, merged = 0, excluded = 0, included = 0;
  for (uint64_t seed = 0; seed < tried_of<uint64_t>(400); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const SweepSpec spec = SpecMaker(seed).spec();
    const auto grid = unless_refused([&] { return Grid(spec); });
    if (!grid) continue;
    const auto slow = unless_refused([&] { return plain(spec); });
    const auto fast = unless_refused([&] { return grid->counts(); });
    ASSERT_EQ(fast.has_value(), slow.has_value());
    if (!fast) continue;
    expect_same_counts(*fast, slow->counts);
    if (seed % 4 == 0) expect_same_trials(spec, *grid, slow->cells);
    if (HasFailure()) return;
    ++compared;
    drawn += spec.random ? 1 : 0;
    for (const BlockCount& count : *fast) {
      merged += count.equal_to.empty() ? 0 : 1;
      excluded += count.excluded > 0 ? 1 : 0;
      included += count.included > 0 ? 1 : 0;
    }
  }
  // What a seed makes up is worth comparing.
  EXPECT_GT(compared, tried_of(150));
  EXPECT_GT(drawn, tried_of(10));
  EXPECT_GT(merged, tried_of(40));
  EXPECT_GT(excluded, tried_of(20));
  EXPECT_GT(included, tried_of(20));
}

// What told_apart names, and what every block that lists the trial adds to it.
Json told_of(const SweepTrial& trial) {
  const std::optional<int> rank = trial.settings.lora ? std::optional(trial.settings.lora->rank) : std::nullopt;
  return {
      text_of(trial.settings.method), rank.value_or(0), trial.settings.train.batch, trial.blocks, trial.eval_at,
      trial.settings.train.clip > 0};
}

Json but_for_length(const SweepTrial& trial) {
  Json out = told_of(trial);
  out.erase(4);
  return out;
}

// Returns: how many groups there are.
int64_t expect_trials_of_groups_agree(const Grid& grid) {
  const CellCensus census(grid, {{.by_value = {"method", "lora.rank", "train.batch"},
                                  .by_sign = {"train.clip"},
                                  .apart = {"train.batch", "budget.steps", "eval.at"}}});
  std::vector<int64_t> trials(census.groups().size());
  std::map<uint64_t, Json> told, told_apart;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    const int64_t cell = raw / std::ssize(grid.spec().seeds);
    const size_t group = census.group_of(cell);
    const int64_t sample = census.groups()[group].sample;
    EXPECT_LE(sample, raw);
    EXPECT_EQ(told_of(*trial), told_of(grid.at(sample).value()));
    const auto& [of_it, apart] = census.groups()[group].told;
    EXPECT_EQ(told.try_emplace(of_it, but_for_length(*trial)).first->second, but_for_length(*trial));
    EXPECT_EQ(told_apart.try_emplace(apart, trial->eval_at).first->second, Json(trial->eval_at));
    if (trials[group]++ == 0) {
      EXPECT_EQ(sample, raw) << "the first of them";
    }
    TrialIdentity identity = identity_of(values_of(trial->settings), grid.spec().inputs);
    EXPECT_EQ(census.find(print_of(identity.settings)), cell);
    identity.settings["seed"] = trial->settings.seed;
    EXPECT_EQ(trial_id(identity), trial->id) << "told again from its typed settings";
  }
  for (size_t group = 0; group < trials.size(); ++group)
    EXPECT_EQ(census.groups()[group].trials, trials[group]);
  return std::ssize(trials);
}

// Worked out in each cell over tables of its parts: budgets, settings that a telling reads, and both at once;
// equal values, signs, cells that a rule drops.
TEST(GridProperty, WhatIsDerivedFromEveryAxisIsWhatTheCellsSay) {
  const auto derived = [](const std::string& rules) {
    return sweep(
        "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nseeds: 2\n"
        "axes: {lora.rank: [4, 8, 16], train.lr: [1e-4, 2e-4, 1e-3], train.eps: [1e-9, 1e-8, 1e-7]}\n" +
        rules);
  };
  int64_t groups = 0;
  for (const char* rules :
       {"derive: {budget.steps: rank + round(1e4 * lr) * 3 + round(1e9 * eps) * 7}\n",
        "derive: {budget.steps: 'max(rank + round(1e4 * lr) * round(1e9 * eps), 30)', train.clip: rank * lr * "
        "eps}\n",
        "derive: {budget.epochs: rank * lr * eps * 1e10, train.batch: 'max(rank * 1e4 * lr * 1e8 * eps, 4)'}\n"
        "exclude: [rank * lr * eps > 1e-10, rank == 4 and lr == 1e-4]\n",
        "derive: {budget.steps: 'max(rank + 1e4 * lr - 1e9 * eps, 1)'}\nexclude: [rank + 1e4 * lr - 1e9 * eps "
        "< -9]\n",
        "budget: {steps: 4}\nderive: {train.clip: rank * lr - 4e-4 if eps == 1e-8 else 0, "
        "train.weight_decay: (2 if rank == 4 else 1) * lr * (1 if eps > 1e-8 else 2)}\n"}) {
    SCOPED_TRACE(rules);
    const SweepSpec spec = derived(rules);
    const Grid grid(spec);
    const PlainGrid slow = plain(spec);
    expect_same_counts(grid.counts(), slow.counts);
    expect_same_trials(spec, grid, slow.cells);
    groups += expect_trials_of_groups_agree(grid);
  }
  EXPECT_GT(groups, 60);
  const SweepSpec twice = [&] {
    SweepSpec out = derived("derive: {budget.steps: rank + 1e4 * lr + 1e9 * eps}\n");
    out.blocks[0].constants["budget.epochs"] = 2.0;
    return out;
  }();
  EXPECT_THROW(Grid(twice).counts(), SpecError) << "a trial has one budget";
}

TEST(GridProperty, TrialsOfOneGroupAgreeInWhatIsToldApart) {
  int64_t groups = 0, trials = 0, parts = 0;
  for (uint64_t seed = 0; seed < tried_of<uint64_t>(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SweepSpec spec = SpecMaker(seed).spec();
    const auto whole = unless_refused([&] { return trial_count(spec, Grid(spec).counts()); });
    if (!whole) continue;
    if (const int64_t end = Grid(spec).raw_count(); seed % 3 == 0 && end > 3) {
      spec.taken = {{.first = 1, .end = 2}, {.first = end / 2, .end = end}};
      ++parts;
    }
    const Grid grid(spec);
    groups += expect_trials_of_groups_agree(grid);
    trials += trial_count(spec, grid.counts());
    if (HasFailure()) return;
  }
  EXPECT_GT(parts, tried_of(30));
  EXPECT_GT(groups, tried_of(200));
  EXPECT_LT(groups, trials / 2) << "most trials stand for others";
}

// Budgets of which some share: on an axis of their own, or in rows that set more.
SweepSpec with_budgets(SweepSpec spec, SplitMix64& chance) {
  spec.random.reset();
  for (Block& block : spec.blocks) {
    if (block.axes.size() > 3 || chance.below(4) == 0) continue;
    Axis budgets{.name = "size", .points = {}, .when = ""};
    for (const int steps : {4, 8, 16, 32})
      budgets.points.push_back({.label = std::to_string(steps), .set = {{"budget.steps", steps}}});
    if (chance.below(3) == 0) budgets.points[2].set["train.weight_decay"] = 0.5;
    if (chance.below(3) == 0) budgets.points[3].set["train.batch"] = 2;
    block.axes.insert(block.axes.begin() + static_cast<std::ptrdiff_t>(chance.below(block.axes.size() + 1)),
                      std::move(budgets));
    block.include.clear();
    block.constants.erase("model.from");  // of a source that nobody read
    block.constants["train.schedule"] = chance.below(2) ? "wsd" : "constant";
    block.constants["train.warmup"] = {{"steps", static_cast<int>(chance.below(6))}};
    if (chance.below(2)) block.exclude.push_back({.text = "steps > 8 and lr < 2e-4", .where = ""});
  }
  return with_a_data_index(spec);
}

TEST(GridProperty, TrunksSaveWhatTheTrialsOneByOneSay) {
  int64_t trunks = 0, parts = 0;
  for (uint64_t seed = 0; seed < tried_of<uint64_t>(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SplitMix64 chance(seed);
    const auto made = unless_refused([&] { return with_budgets(SpecMaker(seed).spec(), chance); });
    if (!made || !unless_refused([&] { return Grid(*made).counts(); })) continue;
    SweepSpec spec = *made;
    if (const int64_t end = Grid(spec).raw_count(); seed % 4 == 0 && end > 4) {
      spec.taken = {{.first = 0, .end = 2}, {.first = end / 2, .end = end}};
      ++parts;
    }
    const SharedWork counted = shared_work(Grid(spec)), walked = shared_work_of_each(spec);
    EXPECT_EQ(counted.trials, walked.trials);
    EXPECT_EQ(counted.trunks, walked.trunks);
    EXPECT_EQ(counted.alone, walked.alone);
    EXPECT_EQ(counted.shared, walked.shared);
    if (HasFailure()) return;
    trunks += counted.trunks;
  }
  EXPECT_GT(trunks, tried_of(100));
  EXPECT_GT(parts, tried_of(10));
}

// Two specs share what both have ids of.
TEST(GridProperty, TrialsOfBothAreThoseWhoseIdsBothHave) {
  int64_t some = 0;
  for (uint64_t seed = 0; seed < tried_of<uint64_t>(240); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const SweepSpec spec = SpecMaker(seed).spec();
    if (!unless_refused([&] { return Grid(spec).counts(); })) continue;
    SweepSpec other = spec;
    if (seed % 2) other.seeds = {1, 7, 5};
    if (other.blocks.size() > 1) other.blocks.erase(other.blocks.begin());
    const Grid grid(spec);
    if (const int64_t end = grid.raw_count(); seed % 3 == 0) other.taken = {{.first = 0, .end = (end + 1) / 2}};
    if (!unless_refused([&] { return Grid(other).counts(); })) continue;
    const Grid others(other);
    const std::set<std::string> ids = ids_of(spec), other_ids = ids_of(other);
    const auto both =
        std::count_if(ids.begin(), ids.end(), [&](const std::string& id) { return other_ids.contains(id); });
    EXPECT_EQ(trials_of_both(CellCensus(grid), CellCensus(others)), both);
    some += both > 0 && both < std::ssize(ids) ? 1 : 0;
  }
  EXPECT_GT(some, tried_of(20));
}

}  // namespace
}  // namespace ranktide
