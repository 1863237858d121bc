// Journals and specs that earlier versions wrote. Those in journals/ are as they were written, and stay so.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "common/vocabulary/sha256.h"
#include "coordinator/core/coordinator.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

// As the first version wrote it: without the fields that have come since.
Json first_spec(const SweepSpec& spec) {
  Json out = to_json(spec);
  for (const char* field : {"random", "tune", "taken"}) out.erase(field);
  out["run"].erase("needs");
  for (Json& block : out["blocks"]) block.erase("include");
  return out;
}

// What a coordinator knows to which the first version's journal had one submission.
State state_of_first_version(const SweepSpec& spec, const std::string& request_id) {
  Json submitted = to_json(SweepSubmitted{.sweep = 1, .request_id = request_id, .spec_sha256 = "", .spec = {}});
  submitted["spec"] = first_spec(spec);
  submitted["spec_sha256"] = sha256_hex(submitted["spec"].dump());
  for (const char* field : {"actor", "trial_count"}) submitted.erase(field);
  State state;
  state.apply(EpochStarted{.epoch = 1});
  state.apply(from_journal("SweepSubmitted", submitted.dump()));
  return state;
}

Effects effects_of(State state, const Submit& submit) {
  Coordinator coordinator(CoordinatorConfig{}, std::move(state), Instant{});
  Effects effects;
  coordinator.step(Instant{}, submit, effects);
  return effects;
}

TEST(SpecOfAnEarlierVersion, TheSameFileIsNoNewRevision) {
  const SweepSpec spec = sweep_for_tests({.ranks = {2, 4}});
  ASSERT_NE(sha256_hex(first_spec(spec).dump()), sha256_of(spec)) << "nothing has come since";
  const Effects effects =
      effects_of(state_of_first_version(spec, "before"), {.reply_to = 1, .request_id = "now", .spec = spec});
  EXPECT_TRUE(effects.records.empty());
  ASSERT_EQ(effects.replies.size(), 1U);
  const auto* same = std::get_if<Submitted>(&effects.replies.front().answer);
  ASSERT_NE(same, nullptr);
  EXPECT_EQ(same->revision, 1);
}

TEST(SpecOfAnEarlierVersion, TheSameFileWithItsLabelsCountedIsNoNewRevision) {
  SweepSpec spec = sweep_for_tests({});
  ASSERT_FALSE(spec.inputs.data.empty());
  const State before = state_of_first_version(spec, "before");
  for (auto& [key, data] : spec.inputs.data) data.labels = 7;
  EXPECT_TRUE(effects_of(before, {.reply_to = 1, .request_id = "now", .spec = spec}).records.empty());
}

TEST(SpecOfAnEarlierVersion, ARequestThatIsSaidAgainHasItsAnswer) {
  const SweepSpec spec = sweep_for_tests({});
  const Effects effects =
      effects_of(state_of_first_version(spec, "same"), {.reply_to = 1, .request_id = "same", .spec = spec});
  EXPECT_TRUE(std::holds_alternative<Submitted>(effects.replies.at(0).answer));
}

TEST(SpecOfAnEarlierVersion, AnotherFileIsANewRevision) {
  const Effects effects =
      effects_of(state_of_first_version(sweep_for_tests({}), "before"),
                 {.reply_to = 1, .request_id = "now", .spec = sweep_for_tests({.ranks = {2, 4}})});
  ASSERT_EQ(effects.records.size(), 1U);
  EXPECT_EQ(std::get<SweepSubmitted>(effects.records.front()).revision, 2);
}

std::vector<fs::path> journals() {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(RANKTIDE_SOURCE_DIR "/tests/coordinator/core/journals"))
    if (entry.path().extension() == ".jsonl") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<Record> records_in(const fs::path& file) {
  std::vector<Record> out;
  std::ifstream journal(file);
  for (std::string line; std::getline(journal, line);) {
    const Json entry = parse_json(line);
    out.push_back(from_journal(entry.at("kind").get<std::string>(), entry.at("body").dump()));
  }
  return out;
}

class EarlierJournal : public testing::TestWithParam<fs::path> {};

// The lines that a later version may print otherwise are no part of it: what counts is which sweeps, trials and
// results it knows.
std::string outline_of(const State& state) {
  std::ostringstream out;
  for (const auto& [number, sweep] : state.sweeps()) {
    out << sweep.name() << "." << sweep.revision << (sweep.is_over() ? " over" : "") << "\n";
    for (const auto& [index, stage] : sweep.trials) {
      const Unit& unit = state.units().at(unit_of(stage));
      out << "  trial " << index << " " << stage.brief() << " " << text_of(unit.life) << "\n";
    }
    out << "  evals " << sweep.evals_finished << " of " << sweep.evals.size() << "\n";
  }
  for (const auto& [name, worker] : state.workers()) out << "worker " << name.text << "\n";
  return out.str();
}

TEST_P(EarlierJournal, ReplaysToWhatItKnew) {
  State state;
  for (const Record& record : records_in(GetParam())) state.apply(record);
  std::ostringstream known;
  known << std::ifstream(fs::path(GetParam()).replace_extension(".txt")).rdbuf();
  EXPECT_EQ(outline_of(state), known.str());
}

// What it has trained is not trained again.
TEST_P(EarlierJournal, ItsSweepsAreTheSameWhenTheyAreSubmittedAgain) {
  State state;
  std::map<std::string, SweepSpec> newest;
  for (const Record& record : records_in(GetParam())) {
    if (const auto* submitted = std::get_if<SweepSubmitted>(&record))
      newest[submitted->spec.name] = submitted->spec;
    state.apply(record);
  }
  ASSERT_FALSE(newest.empty());
  for (const auto& [name, spec] : newest) {
    const std::string owner = state.find_sweep(name)->owner;
    const Effects effects =
        effects_of(state, {.reply_to = 1, .request_id = "again", .actor = owner, .spec = spec});
    EXPECT_TRUE(effects.records.empty()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Coordinator, EarlierJournal, testing::ValuesIn(journals()), [](const auto& file) {
  std::string day = file.param.stem().string();
  std::replace(day.begin(), day.end(), '-', '_');
  return day;
});

}  // namespace
}  // namespace ranktide
