// What a worker leaves with its coordinator, and what it keeps.
#include "worker/daemon/artifact_sender.h"

#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/worker/daemon/input_world.h"
#include "worker/daemon/artifact_child.h"
#include "worker/daemon/kept_artifacts.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// What a sender says while `act` lasts.
std::string said_during(const std::function<void()>& act) {
  testing::internal::CaptureStderr();
  try {
    act();
  } catch (const std::exception& error) {  // a capture that is not ended would end all tests after this one
    ADD_FAILURE() << error.what();
  }
  return testing::internal::GetCapturedStderr();
}

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
  std::vector<fs::path> dropped_for(int64_t bytes_max) const {
    std::vector<fs::path> out;
    drop_sent_artifacts(work(), bytes_max, [&](const fs::path& gone) { out.push_back(gone); });
    return out;
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

TEST_F(KeptArtifacts, OneThatCannotBeReadWhileItIsSentKeepsNoOtherWaiting) {
  const fs::path vanishing = artifact('a', 10);
  const fs::path fine = artifact('b', 10);
  when_asked_for = [&](const std::string& trial) {
    if (trial == vanishing.filename()) fs::remove(vanishing / "adapter_model.safetensors");
  };
  start_coordinator();
  ArtifactSender sender(work(), 1'000, client());
  EXPECT_THAT(said_during([&] { sender.send_all(); }), HasSubstr("cannot be read: No such file"));
  EXPECT_TRUE(has_arrived(fine));
  EXPECT_EQ(unsent_artifacts(work()), std::vector{vanishing});
  EXPECT_TRUE(awaited_artifacts(work()).empty()) << "no drain waits for it";
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
  EXPECT_TRUE(dropped_for(120).empty());
  EXPECT_EQ(dropped_for(119), std::vector{second});
  EXPECT_FALSE(fs::exists(second));
  EXPECT_FALSE(fs::exists(second.string() + ".sent"));
  EXPECT_EQ(dropped_for(10), std::vector{first});
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

TEST_F(KeptArtifacts, RoomThatCannotBeMadeIsSaidOnceAndTriedAgainAfterAMinute) {
  start_coordinator();
  const fs::path stuck = artifact('a', 40);
  const fs::path loop = stuck / "checkpoints" / "loop";
  fs::create_directories(loop.parent_path());
  fs::create_symlink("loop", loop);  // nobody can say what it is
  sent_before(stuck, 1h);
  Instant now{};
  ArtifactSender sender(work(), 10, client(), [&] { return now; });
  const std::string said = said_during([&] {
    for (int look = 0; look < 30; ++look, now = now + Duration(2'000)) sender.send_all();
  });
  EXPECT_THAT(said, HasSubstr("no room is made for artifacts (--artifacts-max)"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  fs::remove(loop);
  now = now - Duration(1'000);
  sender.send_all();
  EXPECT_TRUE(fs::exists(stuck)) << "looked through again before its minute was over";
  now = now + Duration(1'000);
  sender.send_all();
  EXPECT_FALSE(fs::exists(stuck));
}

TEST_F(KeptArtifacts, RoomIsMadeEveryMinuteThoughNothingIsSent) {
  start_coordinator();
  Instant now{};
  ArtifactSender sender(work(), 10, client(), [&] { return now; });
  sender.send_all();
  const fs::path fetched = artifact('a', 40);
  mark_artifact(fetched, ArtifactMark::sent);
  now = now + Duration(59'000);
  sender.send_all();
  EXPECT_TRUE(fs::exists(fetched));
  now = now + Duration(1'000);
  sender.send_all();
  EXPECT_FALSE(fs::exists(fetched));
}

TEST_F(KeptArtifacts, AFetchThatNobodyGoesOnWithGoesAndOneThatRunsCounts) {
  const fs::path sent = artifact('a', 40);
  sent_before(sent, 2h);
  const auto draft = [&](char letter) {
    const fs::path folder = draft_of(work() / "artifacts" / std::string(64, letter));
    write_file(folder / "model.safetensors", std::string(40, letter));
    for (const fs::path& each : {folder / "model.safetensors", folder})
      fs::last_write_time(each, fs::file_time_type::clock::now() - 2h);
    return folder;
  };
  const fs::path left = draft('b'), running = draft('c');
  const int lock = ::open(fetch_lock_of(work() / "artifacts" / std::string(64, 'c')).c_str(),
                          O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  EXPECT_TRUE(dropped_for(80).empty());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(running));
  EXPECT_EQ(dropped_for(79), std::vector{sent});
  ::close(lock);
  EXPECT_TRUE(dropped_for(79).empty());
  EXPECT_FALSE(fs::exists(running));
}

TEST_F(KeptArtifacts, WhatWasFetchedIsNeverTakenForWhatIsToBeSent) {
  const fs::path place = work() / "artifacts" / std::string(64, 'a');
  write_file(draft_of(place) / "below" / "model.safetensors", "x");
  place_fetched(draft_of(place), place);
  EXPECT_TRUE(fs::exists(place / "below" / "model.safetensors"));
  EXPECT_TRUE(unsent_artifacts(work()).empty());
}

TEST_F(KeptArtifacts, WhatWasFetchedStaysForAnHour) {
  const fs::path place = artifact('a', 40);
  write_file(fetch_lock_of(place), "");
  mark_artifact(place, ArtifactMark::sent);
  EXPECT_TRUE(dropped_for(10).empty()) << "its trainer is about to read it";
  sent_before(place, 2h);
  EXPECT_EQ(dropped_for(10), std::vector{place});
}

TEST_F(KeptArtifacts, WhatWasDroppedIsSaidAlsoWhereTheNextCannotBe) {
  start_coordinator();
  const fs::path first = artifact('a', 40), stuck = artifact('b', 40), unreached = artifact('c', 40);
  sent_before(first, 3h);
  sent_before(stuck, 2h);
  sent_before(unreached, 1h);
  write_file(stuck.string() + ".left/file", "no mark, and so not removed as one");
  ArtifactSender sender(work(), 10, client());
  const std::string said = said_during([&] { sender.send_all(); });
  EXPECT_FALSE(fs::exists(first));
  EXPECT_FALSE(fs::exists(stuck));
  EXPECT_THAT(said, HasSubstr(first.string() + ": dropped here"));
  EXPECT_THAT(said, HasSubstr(stuck.string() + ": dropped here"));
  EXPECT_THAT(said, Not(HasSubstr(unreached.string())));
  EXPECT_THAT(said, HasSubstr("no room is made for artifacts"));
}

// What the worker's log says of a process that prints one line and ends, as long as it is started again.
class SenderThatEnds : public testing::Test, protected InputWorld {
 protected:
  SenderThatEnds() { child.send_to("tcp://nowhere"); }
  std::string told_by_one_run(Instant now) {
    testing::internal::CaptureStdout();
    child.tend(now);
    while (child.is_sending()) child.tend(now);
    return testing::internal::GetCapturedStdout();
  }

  ArtifactChild child{{.program = "/bin/sh", .arguments = {"-c", "echo nobody is there"}}, work() / "log"};
};

TEST_F(SenderThatEnds, SaysTheSameOnceInTenMinutes) {
  const Instant start{};
  const auto told = HasSubstr("artifacts: nobody is there");
  EXPECT_THAT(told_by_one_run(start), told);
  EXPECT_THAT(told_by_one_run(start + Duration(599'000)), Not(told));
  EXPECT_THAT(told_by_one_run(start + Duration(610'000)), told);
  EXPECT_THAT(told_by_one_run(start + Duration(620'000)), Not(told)) << "ten minutes from then on";
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
    LogSender(work(), coordinator).send_new(Instant{});
  }
  fs::path arrived(Attempt attempt) const {
    return data() / "logs" / sha256_hex("unit") / (std::to_string(attempt) + ".log");
  }
};

TEST_F(KeptLogs, GoAWeekAfterTheirEndOnceTheCoordinatorHasThem) {
  start_coordinator();
  const fs::path old = log(1, 24h * 8);
  const fs::path recent = log(2, 24h * 6);
  send();
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(recent));
  EXPECT_EQ(text_of_file(arrived(1)), "printed\n") << "sent before it went";
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

TEST_F(KeptLogs, OneThatCannotBeReadKeepsNoOtherWaitingAndIsTriedAgainAfterAMinute) {
  start_coordinator();
  const fs::path unreadable = log(1, 0h);
  fs::remove(unreadable);
  fs::create_symlink("/proc/self/mem", unreadable);  // opens, and reading its beginning is an I/O error
  log(2, 0h);
  BulkClient coordinator(client());
  LogSender sender(work(), coordinator);
  const std::string said = said_during([&] {
    for (const auto at : {0s, 2s, 58s}) sender.send_new(Instant{} + at);
  });
  EXPECT_THAT(said, HasSubstr("1.log: cannot be read: Input/output error"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_EQ(text_of_file(arrived(2)), "printed\n");
  fs::remove(unreadable);
  log(1, 0h);
  sender.send_new(Instant{} + 59s);
  EXPECT_FALSE(fs::exists(arrived(1)));
  sender.send_new(Instant{} + 60s);
  EXPECT_EQ(text_of_file(arrived(1)), "printed\n");
}

TEST_F(KeptLogs, OneThatWasNotTakenIsOfferedAgainAfterAMinute) {
  start_coordinator();
  log(1, 0h);
  const fs::path mark = arrived(1).replace_extension(".gone");  // had to make room there once
  write_file(mark, "");
  BulkClient coordinator(client());
  LogSender sender(work(), coordinator);
  EXPECT_THAT(said_during([&] { sender.send_new(Instant{}); }), HasSubstr("1.log: stays here: "));
  fs::remove(mark);
  sender.send_new(Instant{} + 59s);
  EXPECT_FALSE(fs::exists(arrived(1)));
  sender.send_new(Instant{} + 60s);
  EXPECT_EQ(text_of_file(arrived(1)), "printed\n");
}

}  // namespace
}  // namespace ranktide
