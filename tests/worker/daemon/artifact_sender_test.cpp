// What a worker leaves with its coordinator, and what it keeps.
#include "worker/daemon/artifact_sender.h"

#include <gtest/gtest.h>

#include "tests/worker/daemon/input_world.h"
#include "worker/daemon/kept_artifacts.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class KeptArtifacts : public testing::Test, protected InputWorld {
 protected:
  // An artifact of one file; its trial's id is 64 times the letter.
  fs::path artifact(char letter, size_t bytes) const {
    const fs::path folder = work() / "artifacts" / std::string(64, letter);
    write_file(folder / "adapter_model.safetensors", std::string(bytes, letter));
    return folder;
  }
  bool has_arrived(const fs::path& artifact) const {
    return fs::exists(data() / "artifacts" / artifact.filename());
  }
  void sent_before(const fs::path& artifact, std::chrono::hours age) {
    mark_artifact(artifact, ArtifactMark::sent);
    fs::last_write_time(artifact.string() + ".sent", fs::file_time_type::clock::now() - age);
  }
};

TEST_F(KeptArtifacts, OneThatIsNotTakenKeepsNoOtherWaiting) {
  arriving_limits.file_bytes = 10;
  start_coordinator();
  const fs::path large = artifact('a', 11);
  const fs::path fine = artifact('b', 10);
  fs::create_directories(work() / "artifacts" / std::string(64, 'c'));
  const fs::path last = artifact('d', 10);
  ArtifactSender sender(work(), 1'000, client());
  sender.send_all();
  EXPECT_TRUE(has_arrived(fine));
  EXPECT_TRUE(has_arrived(last));
  EXPECT_EQ(unsent_artifacts(work()).size(), 2U);
  EXPECT_TRUE(awaited_artifacts(work()).empty()) << "no drain waits for them";
  EXPECT_TRUE(fs::exists(large));
  artifact('a', 9);  // trained again
  fs::last_write_time(large, fs::file_time_type::clock::now() + 5s);
  EXPECT_EQ(awaited_artifacts(work()), std::vector{large}) << "the mark is of the one before";
}

TEST_F(KeptArtifacts, OneOfAnUnfinishedTrialIsAskedAboutAgain) {
  has_finished = false;
  start_coordinator();
  const fs::path early = artifact('a', 5);
  ArtifactSender sender(work(), 1'000, client());
  sender.send_all();
  EXPECT_EQ(awaited_artifacts(work()), std::vector{early}) << "its Done may be on the way";
  for (int i = 0; i < 29; ++i) sender.send_all();
  EXPECT_TRUE(awaited_artifacts(work()).empty());
  EXPECT_EQ(early_artifacts(work()), std::vector{early});
  has_finished = true;
  ArtifactSender(work(), 1'000, client()).send_all();
  EXPECT_TRUE(has_arrived(early));
  EXPECT_TRUE(early_artifacts(work()).empty());
}

TEST_F(KeptArtifacts, TheLongestSentGoWhenThereIsTooMuch) {
  const fs::path first = artifact('a', 40);
  const fs::path second = artifact('b', 40);
  const fs::path unsent = artifact('c', 40);
  sent_before(first, 2h);
  sent_before(second, 3h);
  EXPECT_TRUE(drop_sent_artifacts(work(), 120).empty());
  EXPECT_EQ(drop_sent_artifacts(work(), 119), std::vector{second});
  EXPECT_FALSE(fs::exists(second));
  EXPECT_FALSE(fs::exists(second.string() + ".sent"));
  EXPECT_EQ(drop_sent_artifacts(work(), 10), std::vector{first});
  EXPECT_TRUE(fs::exists(unsent)) << "the only copy";
}

TEST_F(KeptArtifacts, RoomIsMadeWhenOneWasSent) {
  start_coordinator();
  const fs::path first = artifact('a', 40);
  ArtifactSender sender(work(), 60, client());
  sender.send_all();
  EXPECT_TRUE(fs::exists(first));
  sent_before(first, 1h);
  const fs::path second = artifact('b', 40);
  sender.send_all();
  EXPECT_FALSE(fs::exists(first));
  EXPECT_TRUE(fs::exists(second));
  EXPECT_TRUE(has_arrived(first));
}

class KeptLogs : public testing::Test, protected InputWorld {
 protected:
  // The log of an attempt, last written to so long ago.
  fs::path log(Attempt attempt, std::chrono::hours age) const {
    const fs::path file = work() / "logs" / sha256_hex("unit") / (std::to_string(attempt) + ".log");
    write_file(file, "printed\n");
    fs::last_write_time(file, fs::file_time_type::clock::now() - age);
    return file;
  }
  void send() {
    BulkClient coordinator(client());
    LogSender(work(), coordinator).send_new();
  }
};

TEST_F(KeptLogs, GoAWeekAfterTheirEndOnceTheCoordinatorHasThem) {
  start_coordinator();
  const fs::path old = log(1, 24h * 8);
  const fs::path recent = log(2, 24h * 6);
  send();
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(recent));
  EXPECT_EQ(text_of_file(data() / "logs" / sha256_hex("unit") / "1.log"), "printed\n") << "sent before it went";
}

TEST_F(KeptLogs, StayFourWeeksWhereTheCoordinatorDoesNotTakeThem) {
  was_granted = false;
  start_coordinator();
  const fs::path old = log(1, 24h * 27);
  const fs::path oldest = log(2, 24h * 29);
  send();
  EXPECT_TRUE(fs::exists(old));
  EXPECT_FALSE(fs::exists(oldest));
}

}  // namespace
}  // namespace ranktide
