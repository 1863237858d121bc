#include "worker/daemon/input_slot.h"

#include <chrono>
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
  RunWork work_on(const std::string& name, const std::string& text) const {
    RunWork run{.lease = {UnitId{name}, 1}, .work = {}};
    run.work.stage.emplace();
    run.work.stage->settings.data.train = {{shared(name).string(), 1}};
    run.work.inputs = {{shared(name).string(), sha256_hex(text), static_cast<int64_t>(text.size())}};
    return run;
  }
  // Takes reports until one is of the wanted kind.
  template <class Report>
  std::optional<Report> wait_for(InputSlot& slot) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(300);
    while (std::chrono::steady_clock::now() < end) {
      auto items = slot.pollfds();
      ::poll(items.data(), items.size(), 50);
      for (TrainerReport& report : slot.take_reports(log_))
        if (auto* wanted = std::get_if<Report>(&report)) return std::move(*wanted);
    }
    return std::nullopt;
  }

  ChildLog log_;
};

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
  const std::string text(96 << 20, 'x');
  upload(text);
  InputSlot slot(process());
  slot.fetch_from(door->endpoint());
  slot.begin(work_on("d.txt", text));
  ASSERT_TRUE(wait_for<WorkProgress>(slot));
  slot.cancel();  // SIGKILL
  EXPECT_FALSE(slot.is_busy());
  const fs::path part = work() / "inputs" / file("d.txt", text).id() / "parts" / sha256_hex(text);
  ASSERT_TRUE(fs::exists(part)) << "it was complete before it was killed: make the file larger";
  const auto kept = fs::file_size(part);
  EXPECT_GT(kept, 0u);
  slot.begin(work_on("d.txt", text));
  const auto progress = wait_for<WorkProgress>(slot);
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->progress.phase.substr(0, 15), "fetching d.txt ");
  EXPECT_GE(std::stoll(progress->progress.phase.substr(15)), static_cast<int64_t>(kept * 100 / text.size()));
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
