// What finished trials leave on a worker's disk, as `run.keep` asks, comes to the coordinator with the same
// bytes and is what Hugging Face's libraries load.

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <thread>

#include "common/vocabulary/sha256.h"
#include "tests/e2e/client_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
namespace fs = std::filesystem;

// Every file below the folder, by name, with its hash.
std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> out;
  std::error_code absent;
  for (const auto& entry : fs::recursive_directory_iterator(folder, absent))
    if (entry.is_regular_file())
      out[entry.path().lexically_relative(folder).generic_string()] = sha256_of_file(entry.path());
  return out;
}

class Kept : public ClientWorld {
 protected:
  // One regime: a trial of full finetuning and one of LoRA, of so many steps.
  void submit_and_wait(const std::string& keep, int steps) {
    world_.write_sweep(TinyWorld::sweep_text(steps, 1));
    const Ended ended = submitted(keep);
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
  }
  Ended submitted(const std::string& keep) const {
    return ask({"submit", world_.sweep().string(), "--wait", "--only", "regime = math", "run.keep=" + keep,
                "run.checkpoint_every=1s"});
  }
  // The same with an eval that the first submission did not ask for.
  Ended asked_for_one_eval_more(const std::string& keep, int steps) const {
    std::string text = TinyWorld::sweep_text(steps, 1);
    text.replace(text.find("{prose_loss:"), 1, "{late_loss: {data: code_held.txt, limit: 2}, ");
    world_.write_sweep(text);
    return submitted(keep);
  }
  std::string sql(const std::string& query) const {
    const Ended answer = run({"/usr/bin/sqlite3", "-readonly", (data() / "ranktide.db").string(), query},
                             world_.folder() / "sqlite3");
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
    return trimmed(answer.out);
  }
  bool drops_its_weights() const {
    const fs::path here = home_of("n1") / "artifacts";
    for (int i = 0; i < 600 && !fs::is_empty(here); ++i) std::this_thread::sleep_for(100ms);
    return fs::is_empty(here);
  }
  std::string trial_of(const std::string& method) const {
    const Json answer = ask_json({"query", "tiny", "--trials", "--where", "method = " + method});
    EXPECT_EQ(answer.at("rows").size(), 1U);
    return answer.at("rows").at(0).at("trial");
  }
  fs::path at_coordinator(const std::string& trial) const { return data() / "artifacts" / trial; }
  fs::path at_worker(const std::string& trial) const { return home_of("n1") / "artifacts" / trial; }
  bool arrives(const std::string& trial) const {
    for (int i = 0; i < 600 && !fs::exists(at_coordinator(trial)); ++i) std::this_thread::sleep_for(100ms);
    return fs::exists(at_coordinator(trial));
  }
};

TEST_F(Kept, CheckpointsAndWeightsComeToTheCoordinatorByteForByte) {
  const auto n1 = worker("n1");
  submit_and_wait("checkpoints", steps_of_a_long_trial(4));  // with one each second
  for (const std::string method : {"full", "lora"}) {
    const std::string trial = trial_of(method);
    ASSERT_TRUE(arrives(trial)) << read_text(home_of("n1") / "logs/artifacts.log");
    const auto kept = files_in(at_coordinator(trial));
    EXPECT_EQ(kept, files_in(at_worker(trial)));
    EXPECT_THAT(kept, Contains(Key(method == "full" ? "model.safetensors" : "adapter_model.safetensors")));
    EXPECT_THAT(kept, Contains(Key(testing::MatchesRegex("checkpoints/[0-9]+/state.safetensors"))));
    EXPECT_THAT(kept, Contains(Key(testing::MatchesRegex("checkpoints/[0-9]+/manifest.json"))));
    const fs::path copy = world_.folder() / ("copy-" + method);
    const Ended fetched = ask({"fetch", trial, "-o", copy.string()});
    EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
    EXPECT_EQ(files_in(copy), kept);
  }
}

TEST_F(Kept, FullWeightsAreAFolderThatTransformersLoads) {
  const auto n1 = worker("n1");
  submit_and_wait("weights", 4);
  const std::string trial = trial_of("full");
  ASSERT_TRUE(arrives(trial));
  EXPECT_EQ(files_in(at_coordinator(trial)), files_in(at_worker(trial)));
  const fs::path source = RANKTIDE_SOURCE_DIR, python = source / ".env/bin/python";
  if (!fs::exists(python)) GTEST_SKIP() << "no Python environment at .env: run ./bootstrap test";
  const Ended loaded =
      run({python.string(), (source / "tests/e2e/load_model.py").string(), at_coordinator(trial).string()},
          world_.folder() / "load");
  if (loaded.exit_code == 77) GTEST_SKIP() << loaded.out;
  EXPECT_EQ(loaded.exit_code, 0) << loaded.out << loaded.err;
}

TEST_F(Kept, AWorkerWithoutRoomForThemDropsWhatItHasSentAndSaysSo) {
  const auto n1 = worker("n1", {"--artifacts-max", "0"});
  submit_and_wait("weights", 4);
  for (const std::string method : {"full", "lora"}) ASSERT_TRUE(arrives(trial_of(method)));
  EXPECT_TRUE(n1->says("dropped here to make room (--artifacts-max); the coordinator has it", 300s));
  EXPECT_TRUE(drops_its_weights());
  EXPECT_THAT(files_in(at_coordinator(trial_of("full"))), Contains(Key("model.safetensors")));
}

TEST_F(Kept, AnEvalThatIsAskedForOnceTheWeightsHaveGoneRunsOnWhatTheCoordinatorHas) {
  const auto n1 = worker("n1", {"--artifacts-max", "0"});
  submit_and_wait("weights", 4);
  ASSERT_TRUE(drops_its_weights());
  const std::string trained = sql("SELECT count(*) FROM v_attempt WHERE kind<>'eval'");
  const Ended ended = asked_for_one_eval_more("weights", 4);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(sql("SELECT count(*) FROM v_attempt WHERE kind<>'eval'"), trained);
}

TEST_F(Kept, AnEvalThatIsAskedForOnceTheCoordinatorsWeightsHaveGoneTooEndsAtOnceWithTheReason) {
  const auto n1 = worker("n1", {"--artifacts-max", "0"});
  submit_and_wait("weights", 4);
  ASSERT_TRUE(drops_its_weights());
  for (const std::string method : {"full", "lora"}) fs::remove_all(at_coordinator(trial_of(method)));
  const Ended ended = asked_for_one_eval_more("weights", 4);
  EXPECT_EQ(ended.exit_code, 6) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("2 evals failed: "), HasSubstr("--artifacts-max")));
  EXPECT_THAT(ask({"status", "tiny"}).out, HasSubstr("2 evals failed: "));
  EXPECT_EQ(ask_json({"status", "tiny"}).at(0).at("failed_evals").at("evals"), 2);
  EXPECT_EQ(sql("SELECT DISTINCT kind, attempt FROM v_error"), "eval|1") << "and no other";
}

TEST_F(Kept, AnEvalThatIsAskedForLaterRunsAloneOnAdaptersWeightsAndDeltas) {
  const auto n1 = worker("n1");
  int steps = 4;  // of trials that nobody has trained yet
  for (const std::string keep : {"delta", "weights"}) {
    submit_and_wait(keep, steps);
    const std::string trained = sql("SELECT count(*) FROM v_attempt WHERE kind<>'eval'");
    const Ended again = asked_for_one_eval_more(keep, steps++);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(sql("SELECT count(*) FROM v_attempt WHERE kind<>'eval'"), trained) << keep;
    EXPECT_EQ(
        sql("SELECT group_concat(method, ' ') FROM (SELECT method FROM v_eval JOIN v_trial USING (sweep, trial)"
            " WHERE task='late_loss' AND v_eval.step>0 AND value>0 ORDER BY method)"),
        "full lora")
        << keep;
  }
}

TEST_F(Kept, ADeltaComesToTheCoordinatorAndRestoresAFolderOfWeights) {
  const auto n1 = worker("n1");
  submit_and_wait("delta", 4);
  const std::string trial = trial_of("full");
  ASSERT_TRUE(arrives(trial));
  const fs::path copy = world_.folder() / "copy", restored = world_.folder() / "restored";
  const Ended fetched = ask({"fetch", trial, "-o", copy.string()});
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_THAT(files_in(copy), testing::UnorderedElementsAre(Key("delta.json"), Key("delta.zst")));
  const Ended whole = run({trainer_program().string(), "restore", "--model", world_.model().string(), "--delta",
                           copy.string(), "-o", restored.string()},
                          world_.folder() / "restore");
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_THAT(files_in(restored), Contains(Key("model.safetensors")));
}

TEST_F(Kept, AWorkerThatIsToldToEndLeavesItsWeightsFirst) {
  const auto n1 = worker("n1");
  submit_and_wait("weights", 4);
  n1->signal(SIGTERM);
  ASSERT_EQ(n1->wait(300s).exit_code, 0);
  for (const std::string method : {"full", "lora"}) {
    const std::string trial = trial_of(method);
    ASSERT_TRUE(fs::exists(at_coordinator(trial))) << "its folder may end with its job";
    EXPECT_EQ(files_in(at_coordinator(trial)), files_in(at_worker(trial)));
  }
}

}  // namespace
}  // namespace ranktide::e2e
