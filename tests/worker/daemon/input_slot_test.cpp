#include "worker/daemon/input_slot.h"

#include <chrono>
#include <deque>
#include <functional>
#include <gtest/gtest.h>

#include "tests/worker/daemon/input_world.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

// One slot's process, and works that train on one file.
class SlotWithInputs : public testing::Test, protected InputWorld {
 protected:
  SlotWithInputs() { log_.begin(work() / "log"); }

  ChildConfig process() const {
    return {.program = RANKTIDE_FIND_INPUTS,
            .arguments = {"find-inputs", "--work-dir=" + work().string(),
                          "--keys-dir=" + (work() / "keys").string(), "--inputs-max=1000000000",
                          "--coordinator-key=" + keys.public_key},
            .gpu = ""};
  }
  RunWork work_on(const std::string& name, const std::string& text) const { return work_on(file(name, text)); }
  RunWork work_on(const Manifest& input) const {
    RunWork run{.lease = {UnitId{input.base_name()}, 1}, .work = {}};
    run.work.stage.emplace();
    run.work.stage->settings.data.train = {{input.root, 1}};
    const FileContent& content = input.files.at(0).content;
    run.work.inputs = {{input.root, content.sha256, content.bytes}};
    return run;
  }
  // Takes reports until one is of the wanted kind.
  template <class Report>
  std::optional<Report> wait_for(InputSlot& slot) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(300);
    while (std::chrono::steady_clock::now() < end) {
      for (; !unread_.empty(); unread_.pop_front()) {
        if (!std::holds_alternative<Report>(unread_.front())) continue;
        const Report wanted = std::get<Report>(unread_.front());
        unread_.pop_front();
        return wanted;
      }
      auto items = slot.pollfds();
      ::poll(items.data(), items.size(), 50);
      for (TrainerReport& report : slot.take_reports(log_)) unread_.push_back(std::move(report));
    }
    return std::nullopt;
  }

  // Takes reports until one says how much of its file is here; at first it may wait for a killed one's lock.
  std::optional<int64_t> wait_for_percent(InputSlot& slot, const std::string& name) {
    const std::string said = "fetching " + name + " ";
    while (const auto told = wait_for<WorkProgress>(slot)) {
      const std::string& phase = told->progress.phase;
      if (phase.starts_with(said) && phase.ends_with("%")) return std::stoll(phase.substr(said.size()));
    }
    return std::nullopt;
  }

  std::deque<TrainerReport> unread_;  // several may come at once
  ChildLog log_;
};

// What is hashed and sent in a good second: more than is on its way when the first report comes.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kLargeBytes = 24 << 20;
#else
constexpr size_t kLargeBytes = 96 << 20;
#endif

TEST_F(SlotWithInputs, AWorkComesBackWithThePathsOfThisMachine) {
  start_coordinator();
  upload("rows");
  InputSlot slot(process());
  slot.fetch_from(door->endpoint());
  const RunWork run = work_on("d.jsonl", "rows");
  EXPECT_TRUE(slot.is_needed_by(run.work));
  slot.begin(run);
  const auto prepared = wait_for<WorkPrepared>(slot);
  ASSERT_TRUE(prepared);
  EXPECT_EQ(text_of_file(prepared->work.stage->settings.data.train.at(0).path), "rows");
  EXPECT_FALSE(slot.is_busy());
}

// Another worker may have it; who fails it for good takes it from them.
TEST_F(SlotWithInputs, AWorkWhoseSourceIsNowhereIsRefusedUnlessItOnlyEvaluates) {
  start_coordinator();
  upload("rows");
  InputSlot slot(process());
  slot.fetch_from(door->endpoint());
  RunWork run = work_on("d.jsonl", "rows");
  run.work.stage->trial = TrialId{sha256_hex("warm")};
  run.work.stage->start = WarmStart{.trial = TrialId{sha256_hex("source")}};
  ASSERT_TRUE(slot.is_needed_by(run.work));
  slot.begin(run);
  const auto ended = wait_for<WorkEnded>(slot);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->outcome.kind, OutcomeKind::refused);
  EXPECT_NE(ended->outcome.message.find("the coordinator does not have it either"), std::string::npos)
      << ended->outcome.message;
  run.work.kind = WorkKind::evaluate;
  slot.begin(run);
  EXPECT_TRUE(wait_for<WorkPrepared>(slot)) << "its trainer says what is missing, and that it is for good";
}

// Its trainer knows whether the checkpoint is exact.
TEST_F(SlotWithInputs, AWorkThatMustBeExactAndWhoseSourceIsNowhereIsLeftToItsTrainerWhereItHasACheckpoint) {
  start_coordinator();
  upload("rows");
  InputSlot slot(process());
  slot.fetch_from(door->endpoint());
  RunWork run = work_on("d.jsonl", "rows");
  run.work.require_exact = true;
  run.work.stage->id = StageId{sha256_hex("warm stage")};
  run.work.stage->trial = TrialId{sha256_hex("warm")};
  run.work.stage->start = WarmStart{.trial = TrialId{sha256_hex("source")}};
  std::filesystem::create_directories(work() / "checkpoints" / run.work.stage->id.text / "1" / "4");
  slot.begin(run);
  EXPECT_TRUE(wait_for<WorkPrepared>(slot));
}

TEST_F(SlotWithInputs, AWorkWhoseInputIsNowhereIsRefused) {
  InputSlot slot(process());
  slot.begin(work_on("d.jsonl", "rows"));
  const auto ended = wait_for<WorkEnded>(slot);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->outcome.kind, OutcomeKind::refused);
  EXPECT_NE(ended->outcome.message.find("is not to be had on this worker"), std::string::npos);
}

TEST_F(SlotWithInputs, AFetchThatIsKilledGoesOnWhereItWas) {
  start_coordinator();
  const std::string text(kLargeBytes, 'x');
  const Manifest large = file("d.txt", text);
  const std::string hash = large.files.at(0).content.sha256;
  write_file(blobs() / hash, text);
  InputSlot slot(process());
  slot.fetch_from(door->endpoint());
  slot.begin(work_on(large));
  ASSERT_TRUE(wait_for_percent(slot, "d.txt"));
  slot.cancel();  // SIGKILL
  unread_.clear();
  EXPECT_FALSE(slot.is_busy());
  const fs::path part = work() / "inputs" / large.id() / "parts" / hash;
  ASSERT_TRUE(fs::exists(part)) << "it was complete before it was killed: make the file larger";
  const auto kept = fs::file_size(part);
  EXPECT_GT(kept, 0u);
  slot.begin(work_on(large));
  const auto percent = wait_for_percent(slot, "d.txt");
  ASSERT_TRUE(percent);
  EXPECT_GE(*percent, static_cast<int64_t>(kept * 100 / text.size()));
  const auto prepared = wait_for<WorkPrepared>(slot);
  ASSERT_TRUE(prepared);
  EXPECT_EQ(text_of_file(prepared->work.stage->settings.data.train.at(0).path), text);
}

TEST_F(SlotWithInputs, AProcessThatCannotStartEndsItsWork) {
  ChildConfig nothing = process();
  nothing.program = "/no/such/program";
  InputSlot slot(nothing);
  slot.begin(work_on("d.jsonl", "rows"));
  const auto ended = wait_for<WorkEnded>(slot);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->outcome.kind, OutcomeKind::failed);
}

TEST_F(SlotWithInputs, WithoutAProgramWorksGoAsTheyCame) {
  InputSlot slot(ChildConfig{});
  EXPECT_FALSE(slot.is_needed_by(work_on("d.jsonl", "rows").work));
}

}  // namespace
}  // namespace ranktide
