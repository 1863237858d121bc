// The sweep files that we hand out are read by the strict reader, so that none of them rots.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/eval_tasks.h"
#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/shared_work.h"
#include "common/sweep/sweep_yaml.h"
#include "common/sweep/trunk.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sweep_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(RANKTIDE_SOURCE_DIR) / "sweeps")) {
    if (entry.path().extension() == ".yaml") {
      files.push_back(entry.path());
    }
  }
  return files;
}

TEST(Sweeps, IncludeTheQuickstart) {
  EXPECT_TRUE(fs::is_regular_file(fs::path(RANKTIDE_SOURCE_DIR) / "sweeps" / "quickstart.yaml"));
}

TEST(Sweeps, EveryFileIsReadWithoutComplaint) {
  for (const fs::path& file : sweep_files()) {
    EXPECT_NO_THROW(read_sweep(file)) << file;
  }
}

std::string yaml_block_of_the_readme() {
  std::ifstream in(fs::path(RANKTIDE_SOURCE_DIR) / "README.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const size_t begin = text.find("```yaml\n") + 8;
  return text.substr(begin, text.find("\n```", begin) + 1 - begin);
}

SweepSpec shipped(const std::string& name) {
  return read_sweep(fs::path(RANKTIDE_SOURCE_DIR) / "sweeps" / (name + ".yaml"));
}

std::vector<SweepTrial> trials_in(const SweepSpec& spec) {
  const Grid grid(spec);
  std::vector<SweepTrial> out;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (auto trial = grid.at(raw)) out.push_back(*std::move(trial));
  return out;
}

std::set<std::string> ids_in(const std::string& name) {
  std::set<std::string> out;
  for (const SweepTrial& trial : trials_in(shipped(name))) out.insert(trial.id.text);
  return out;
}

// An experiment of the paper as a file, and the cells that it must come to.
struct PaperSweep {
  std::string name;
  std::map<std::string, int64_t> cells;  // by block
  int64_t equal;                         // cells that an earlier block has
  int64_t trials;
};

TEST(PaperSweeps, ComeToThePapersCellsWithoutItsModelsAndData) {
  const std::vector<PaperSweep> experiments{
      // Tables S5 to S8: 2 regimes x 5 budgets x (full + 3 ranks) = 40; figure 7: 3 ranks x 3 targets x 3
      // budgets, of
      // which target all is among the 40; figure 4: 5 budgets x 4 regularisers. Three seeds.
      {"paper_ift", {{"full", 10}, {"lora", 30}, {"targets", 27}, {"regularised", 20}}, 9, 78 * 3},
      // Tables S1 to S4: 2 regimes x 8 budgets x (full + 3 ranks), one seed, as the paper has.
      {"paper_cpt", {{"full", 16}, {"lora", 48}}, 0, 64},
      // Figure S1: 2 regimes x 8 rates of each method.
      {"paper_lr", {{"full", 16}, {"lora", 16}}, 0, 32},
      // Figure S2: 2 optimizers x 6 rates of each method.
      {"paper_optimizer", {{"full", 12}, {"lora", 12}}, 0, 24},
      // Figure S3: 3 alphas x 5 rates, and 2 alphas in continued pretraining.
      {"paper_alpha", {{"code_ift", 15}, {"math_cpt", 2}}, 0, 17},
      // Tables S10 to S13: one run of 6 epochs for each method.
      {"paper_mix", {{"full", 1}, {"lora", 3}}, 0, 4},
      // Appendix F: the four methods of code at 4 epochs.
      {"paper_passk", {{"full", 1}, {"lora", 3}}, 0, 4},
  };
  for (const PaperSweep& paper : experiments) {
    const Grid grid(shipped(paper.name));
    const auto counts = grid.counts();
    std::map<std::string, int64_t> cells;
    int64_t equal = 0;
    for (const BlockCount& block : counts) {
      cells[block.block] = block.cells;
      equal += block.cells - block.distinct();
    }
    EXPECT_EQ(cells, paper.cells) << paper.name;
    EXPECT_EQ(equal, paper.equal) << paper.name;
    EXPECT_EQ(trial_count(grid.spec(), counts), paper.trials) << paper.name;
    EXPECT_TRUE(warnings_of(grid, counts).empty()) << paper.name;
    EXPECT_EQ(ids_in(paper.name).size(), static_cast<size_t>(paper.trials)) << paper.name;
  }
}

TEST(PaperSweeps, HaveThePapersRates) {
  std::map<std::string, std::set<double>> rates;
  for (const char* name : {"paper_ift", "paper_cpt", "paper_mix"})
    for (const SweepTrial& trial : trials_in(shipped(name))) {
      const auto regime = trial.labels.at("regime");
      const std::string method =
          trial.settings.lora ? "r" + std::to_string(trial.settings.lora->rank) : std::string("full");
      rates[std::string(name) + " " + (std::string(name) == "paper_mix" ? "" : regime + " ") + method].insert(
          trial.settings.train.lr);
      if (trial.settings.lora) {
        EXPECT_EQ(trial.settings.lora->alpha, 2.0 * trial.settings.lora->rank);
      }
    }
  const std::map<std::string, std::set<double>> papers{
      {"paper_ift code full", {5e-5}}, {"paper_ift code r16", {2e-4}},  {"paper_ift code r64", {2e-4}},
      {"paper_ift code r256", {1e-4}}, {"paper_ift math full", {1e-5}}, {"paper_ift math r16", {1e-4}},
      {"paper_ift math r64", {1e-4}},  {"paper_ift math r256", {5e-5}}, {"paper_cpt code full", {1e-5}},
      {"paper_cpt code r16", {1e-5}},  {"paper_cpt code r64", {1e-5}},  {"paper_cpt code r256", {1e-5}},
      {"paper_cpt math full", {1e-5}}, {"paper_cpt math r16", {4e-5}},  {"paper_cpt math r64", {4e-5}},
      {"paper_cpt math r256", {4e-5}}, {"paper_mix full", {5e-6}},      {"paper_mix r16", {1e-4}},
      {"paper_mix r64", {1e-4}},       {"paper_mix r256", {1e-4}},
  };
  EXPECT_EQ(rates, papers);
}

// As if model and data had been read: an epoch of 1,000 steps of 192 rows without padding.
SweepSpec with_full_rows(SweepSpec spec) {
  constexpr int64_t kRows = 192'000;
  for (const ModelSettings& model : wanted_inputs(spec).models)
    spec.inputs.models[model_key(model)] = {.path = model.path, .base = BaseId{"b"}, .tokenizer_sha256 = "t"};
  for (const WantedData& wanted : wanted_inputs(spec).data)
    spec.inputs.data[data_key(wanted.data, "t")] = {
        .sha256 = "d", .documents = kRows, .tokens = kRows * 4096, .rows = kRows};
  return spec;
}

TEST(PaperSweeps, BudgetsInTokensEndWithinAStepOfThePapers) {
  const std::vector<Step> papers{318, 636, 1'272, 2'543, 5'086, 10'173, 20'345, 25'431};
  std::set<Step> steps;
  for (const SweepTrial& trial : trials_in(with_full_rows(shipped("paper_cpt")))) steps.insert(trial.steps);
  ASSERT_EQ(steps.size(), papers.size());
  size_t budget = 0;
  for (const Step step : steps)
    EXPECT_NEAR(static_cast<double>(step), static_cast<double>(papers[budget++]), 1);
}

// The paper's 8 trunks. The two budgets that end before the rate has risen have no flat part to leave.
TEST(PaperSweeps, BudgetsInTokensAreBranchesOfOneTrunkForEachMethodAndRegime) {
  const SweepSpec spec = with_full_rows(shipped("paper_cpt"));
  const SharedWork work = shared_work(Grid(spec));
  EXPECT_EQ(work.trunks, 8);
  EXPECT_EQ(work.trials, 64 - 2 * 8);
  EXPECT_TRUE(work.nothing_on.empty());
  EXPECT_NEAR(static_cast<double>(work.alone) / static_cast<double>(work.shared), 1.95, 0.01);
}

TEST(PaperSweeps, PassAtKAsksTrialsOfTheInstructionSweep) {
  const auto trained = ids_in("paper_ift");
  for (const std::string& id : ids_in("paper_passk")) EXPECT_TRUE(trained.contains(id));
}

TEST(PaperSweeps, HotCheckpointsAreEvalsOfOneRun) {
  for (const SweepTrial& trial : trials_in(with_full_rows(shipped("paper_mix")))) {
    EXPECT_EQ(trial.steps, 6'000);
    EXPECT_EQ(trial.eval_at, (std::vector<Step>{0, 2'000, 4'000, 6'000}));
  }
}

TEST(PaperSweeps, AskForNothingUnknown) {
  for (const fs::path& file : sweep_files())
    for (const WantedEval& wanted : wanted_inputs(read_sweep(file)).evals)
      if (is_task_text(wanted.spec.data)) {
        EXPECT_NE(missing_items(wanted.spec.data).find("write data: FILE.jsonl"), std::string::npos) << file;
      }
}

TEST(Sweeps, TheReadmeShowsTheQuickstartAsItIs) {
  const fs::path folder = fs::path(RANKTIDE_SOURCE_DIR) / "sweeps";
  EXPECT_EQ(to_json(parse_sweep(yaml_block_of_the_readme(), "README.md", folder)).dump(1),
            to_json(read_sweep(folder / "quickstart.yaml")).dump(1));
}

}  // namespace
}  // namespace ranktide
