// The two ends of the sockets for bulk data over loopback, with CURVE.

#include <chrono>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "common/net/bulk_protocol.h"
#include "common/net/clock.h"
#include "common/net/worker_keys.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/bulk_desk.h"
#include "coordinator/edge/bulk_door.h"
#include "tests/temporary_folder.h"
#include "worker/daemon/bulk_client.h"
#include "worker/daemon/kept_artifacts.h"
#include "worker/daemon/source_artifacts.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

struct Interrupted {};

std::string bytes_of(size_t count) {
  std::string out(count, '\0');
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<char>(i * 31 + i / 4096);
  return out;
}

// A door, and clients in this thread.
class Bulk : public testing::Test {
 protected:
  Bulk() { authorise_worker(table_, worker_.public_key, WorkerName{"w1"}); }

  std::unique_ptr<BulkClient> client(Duration silence_max = Duration(20'000)) {
    return std::make_unique<BulkClient>(BulkClientConfig{.endpoint = door_.endpoint(),
                                                         .coordinator_key = keys_.public_key,
                                                         .keys = worker_,
                                                         .ask_again = Duration(1'000),
                                                         .silence_max = silence_max});
  }
  FileContent put(const std::string& text) {
    const FileContent content{sha256_hex(text), static_cast<int64_t>(text.size())};
    std::ofstream(blobs() / content.sha256, std::ios::binary) << text;
    return content;
  }
  fs::path blobs() const { return folder_.path() / "blobs"; }
  fs::path file() const { return folder_.path() / "fetched"; }
  std::string fetched() const {
    std::stringstream text;
    text << std::ifstream(file(), std::ios::binary).rdbuf();
    return text.str();
  }
  std::string error_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const BulkError& error) {
      return error.what();
    }
    return "";
  }
  uint64_t refused(const std::string& reason) const {
    for (const RefusalCount& each : door_.refusals())
      if (each.door == "bulk" && each.reason == reason) return *each.count;
    return 0;
  }
  void fetch(BulkClient& from, const FileContent& content) {
    from.fetch(content, file(), [this](int64_t here) { progress_.push_back(here); });
  }

  TemporaryFolder folder_;
  std::string finished_;     // the trial that w1 has finished
  std::set<Lease> granted_;  // to w1
  fs::path table_ = folder_.path() / "workers";
  KeyPair keys_ = make_key_pair();
  KeyPair worker_ = make_key_pair();
  BlobStore store_{blobs()};
  ArtifactShelf shelf_{{.folder = folder_.path() / "artifacts",
                        .arriving = folder_.path() / "arriving",
                        .hashes = folder_.path() / "cache",
                        .has_finished = [this](const WorkerName& worker, const std::string& trial) {
                          return worker == WorkerName{"w1"} && trial == finished_;
                        }}};
  LogShelf logs_{{.folder = folder_.path() / "logs",
                  .file_bytes_max = 3'000'000,
                  .total_bytes_max = 4'000'000,
                  .was_granted = [this](const WorkerName& worker, const Lease& lease) {
                    return worker == WorkerName{"w1"} && granted_.contains(lease);
                  }}};
  BulkDoor door_{{.keys = keys_, .worker_keys = table_}, store_, shelf_, logs_};
  std::vector<int64_t> progress_;
};

TEST_F(Bulk, AWorkerFetchesAFileByItsHash) {
  const std::string text = bytes_of(9'000'000);
  fetch(*client(), put(text));
  EXPECT_EQ(fetched(), text);
  EXPECT_EQ(progress_.size(), 9u) << "pieces of a MiB";
}

TEST_F(Bulk, AFetchThatWasCutGoesOnWhereItEnded) {
  const std::string text = bytes_of(6'000'000);
  const FileContent content = put(text);
  EXPECT_THROW(client()->fetch(content, file(),
                               [](int64_t here) {
                                 if (here > 2'500'000) throw Interrupted{};
                               }),
               Interrupted);
  fetch(*client(), content);
  EXPECT_EQ(progress_.size(), 3u) << "three of six pieces were there already";
  EXPECT_EQ(fetched(), text);
}

TEST_F(Bulk, AFileWithAnotherHashIsRefusedAndRemoved) {
  FileContent content = put("what the worker wants");
  std::ofstream(blobs() / content.sha256) << "what an intruder put ";
  const auto from = client();
  EXPECT_NE(error_of([&] { fetch(*from, content); }).find("has another hash"), std::string::npos);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(Bulk, AbsenceIsSaidAndTheNextFetchIsNotConfusedByIt) {
  const auto from = client();
  EXPECT_THROW(fetch(*from, {sha256_hex("nowhere"), 9'000'000}), BulkAbsent);
  fs::remove(file());
  fetch(*from, put("here"));
  EXPECT_EQ(fetched(), "here");
}

TEST_F(Bulk, AWorkerLeavesAFileAndGoesOnWhereItWasCut) {
  const std::string text = bytes_of(3'000'000);
  const FileContent content{sha256_hex(text), 3'000'000};
  std::ofstream(file(), std::ios::binary) << text;
  EXPECT_THROW(client()->store(content, file(),
                               [](int64_t here) {
                                 if (here > 0) throw Interrupted{};
                               }),
               Interrupted);
  client()->store(content, file(), [this](int64_t here) { progress_.push_back(here); });
  EXPECT_EQ(progress_.front(), int64_t{kBulkPieceBytesMax});
  EXPECT_EQ(shelf_.arriving().read(content.sha256, 2'999'990, 100)->bytes, text.substr(2'999'990));
}

TEST_F(Bulk, ARevokedKeyIsRefusedAtTheDoor) {
  revoke_worker_key(table_, worker_.public_key);
  const auto from = client();
  const FileContent content = put("secret");
  EXPECT_NE(error_of([&] { fetch(*from, content); }).find("has revoked this worker's key"), std::string::npos);
  EXPECT_GE(refused("handshake"), 1u);
  EXPECT_EQ(refused("key"), 0u);
}

TEST_F(Bulk, AKeyRevokedMeanwhileGetsNothingMore) {
  const auto from = client();
  fetch(*from, put("before"));
  revoke_worker_key(table_, worker_.public_key);
  fs::remove(file());
  const FileContent content = put("after");
  std::string said;
  for (const Instant end = boot_clock_now() + Duration(20'000); said.empty() && boot_clock_now() < end;) {
    said = error_of([&] { fetch(*from, content); });
    fs::remove(file());
  }
  EXPECT_NE(said.find("not active any more"), std::string::npos);
  EXPECT_GE(refused("key"), 1u) << "the connection outlived its key";
}

TEST_F(Bulk, AnExpiredKeyIsRefusedAtTheDoorAndMeanwhile) {
  const auto from = client();
  fetch(*from, put("before"));
  authorise_worker(table_, worker_.public_key, WorkerName{"w1"}, 1);
  fs::remove(file());
  const FileContent content = put("after");
  std::string said;
  for (const Instant end = boot_clock_now() + Duration(20'000); said.empty() && boot_clock_now() < end;) {
    said = error_of([&] { fetch(*from, content); });
    fs::remove(file());
  }
  EXPECT_NE(said.find("has expired; authorise it again"), std::string::npos) << said;
  const auto late = client();
  said = error_of([&] { fetch(*late, content); });
  EXPECT_NE(said.find("has expired; authorise it again"), std::string::npos) << said;
}

TEST_F(Bulk, AnUnknownKeyGetsNothing) {
  worker_ = make_key_pair();
  const auto from = client(Duration(1'500));
  const FileContent content = put("secret");
  EXPECT_NE(error_of([&] { fetch(*from, content); }).find("no answer"), std::string::npos);
  EXPECT_EQ(fetched(), "");
}

TEST_F(Bulk, NoPathComesFromTheWire) {
  std::ofstream(folder_.path() / "secret") << "secret";
  for (const char* name : {"../secret", "/etc/passwd", "", "."}) {
    const BulkAnswer answer =
        BulkDesk(store_, shelf_, logs_).answer(WorkerName{"w1"}, GetPiece{.sha256 = name}, "");
    EXPECT_TRUE(std::holds_alternative<BulkRefused>(answer.message)) << name;
    EXPECT_EQ(answer.bytes, "") << name;
  }
}

TEST_F(Bulk, AnArtifactIsShelvedWholeByTheWorkerThatFinishedItsTrial) {
  const std::string trial = sha256_hex("trial");
  const std::string text = bytes_of(1'500'000);
  const FileContent content{sha256_hex(text), 1'500'000};
  const ShelveArtifact artifact{trial,
                                {{"adapter_model.safetensors", content.sha256, content.bytes},
                                 {"below/copy", content.sha256, content.bytes}}};
  const auto from = client();
  EXPECT_THROW(from->shelve(artifact), BulkNotYours);
  finished_ = trial;
  EXPECT_FALSE(from->shelve(artifact)) << "its files have not arrived";
  std::ofstream(file(), std::ios::binary) << text;
  from->store(content, file(), [](int64_t) {});
  EXPECT_TRUE(from->shelve(artifact));
  const fs::path place = folder_.path() / "artifacts" / trial;
  EXPECT_EQ(fs::file_size(place / "adapter_model.safetensors"), text.size());
  EXPECT_EQ(fs::file_size(place / "below/copy"), text.size());
  EXPECT_EQ(shelf_.arriving().standing(content.sha256).here, 0) << "it stands in one place only";
  EXPECT_TRUE(from->shelve(artifact)) << "said again, done once";
}

std::string log_so_far(const fs::path& logs, const Lease& lease) {
  std::string out;
  for (LogPart part; (part = read_log(logs, lease, std::ssize(out))).bytes > 0;) out += part.text;
  return out;
}

// What w1's trial left comes to a worker that starts another one from it.
class BroughtArtifact : public Bulk {
 protected:
  BroughtArtifact() {
    for (const auto& [path, text] : files_) {
      fs::create_directories((kept() / path).parent_path());
      std::ofstream(kept() / path, std::ios::binary) << text;
    }
    work_.stage = Stage{.id = StageId{sha256_hex("warm stage")}, .trial = TrialId{sha256_hex("warm")}};
    work_.stage->start = WarmStart{.trial = trial_, .stage = StageId{sha256_hex("stage")}};
  }
  fs::path kept() const { return folder_.path() / "artifacts" / trial_.text; }
  fs::path work_folder() const { return folder_.path() / "w2"; }
  std::string brought(const std::string& path) const {
    std::stringstream text;
    text << std::ifstream(work_folder() / "artifacts" / trial_.text / path, std::ios::binary).rdbuf();
    return text.str();
  }
  void bring() {
    const auto from = client();
    for (const TrialId& trial : missing_artifacts(work_, work_folder()))
      bring_artifact(trial, work_folder(), *from, [this](const std::string& what) { on_progress_(what); });
  }

  TrialId trial_{sha256_hex("trial")};
  std::map<std::string, std::string> files_{
      {"adapter_config.json", "{}"}, {"empty", ""}, {"checkpoint/model.safetensors", bytes_of(3'000'000)}};
  Work work_;
  std::function<void(const std::string&)> on_progress_ = [](const std::string&) {};
};

TEST_F(BroughtArtifact, IsWholeAndMarkedAsOneThatTheCoordinatorHas) {
  bring();
  for (const auto& [path, text] : files_) EXPECT_EQ(brought(path), text) << path;
  EXPECT_TRUE(missing_artifacts(work_, work_folder()).empty());
  EXPECT_TRUE(unsent_artifacts(work_folder()).empty())
      << "it need not be sent back, and goes when room is needed";
}

TEST_F(BroughtArtifact, HasNoNameBeforeItIsWhole) {
  on_progress_ = [](const std::string& what) {
    if (what.ends_with("%") && !what.ends_with(" 0%")) throw Interrupted{};
  };
  EXPECT_THROW(bring(), Interrupted);
  EXPECT_EQ(missing_artifacts(work_, work_folder()), std::vector{trial_});
  on_progress_ = [](const std::string&) {};
  bring();
  EXPECT_EQ(brought("checkpoint/model.safetensors"), files_.at("checkpoint/model.safetensors"));
}

TEST_F(BroughtArtifact, IsListedWithTheHashesOfWhatWasCopiedThereByHand) {
  std::map<std::string, std::string> listed;
  const auto is_hashed = [&] {
    listed.clear();
    for (const InputFile& file : shelf_.files_of(trial_.text)) listed[file.path] = file.sha256;
    return std::none_of(listed.begin(), listed.end(), [](const auto& file) { return file.second.empty(); });
  };
  for (int i = 0; i < 100 && !is_hashed(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  for (const auto& [path, text] : files_) EXPECT_EQ(listed[path], sha256_hex(text)) << path;
}

TEST_F(BroughtArtifact, IsNotTakenWhereAFileCameWithOtherBytes) {
  const fs::path file = kept() / "checkpoint/model.safetensors";
  while (shelf_.files_of(trial_.text).front().sha256.empty()) continue;
  const auto flip = [&] {  // unnoticed by whoever looks at sizes and times
    const auto written = fs::last_write_time(file);
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekg(1'500'000);
    const char byte = static_cast<char>(out.get() ^ 1);
    out.seekp(1'500'000).put(byte);
    out.close();
    fs::last_write_time(file, written);
  };
  flip();
  try {
    bring();
    FAIL() << "taken";
  } catch (const SourceMissing& error) {
    EXPECT_NE(std::string(error.what()).find("another hash"), std::string::npos) << error.what();
  }
  EXPECT_EQ(missing_artifacts(work_, work_folder()), std::vector{trial_});
  flip();
  bring();
  EXPECT_EQ(brought("checkpoint/model.safetensors"), files_.at("checkpoint/model.safetensors"));
}

TEST_F(BroughtArtifact, IsNotNeededWhereTheWorkGoesOnFromItsOwnCheckpoint) {
  fs::create_directories(work_folder() / "checkpoints" / work_.stage->id.text / "1" / "4");
  EXPECT_TRUE(missing_artifacts(work_, work_folder()).empty());
  work_.resume_at_most = 3;
  EXPECT_EQ(missing_artifacts(work_, work_folder()), std::vector{trial_}) << "that one is ahead of its points";
  work_.resume_at_most = 4;
  const TrialId weights{sha256_hex("weights")};
  work_.stage->start->weights = weights;
  EXPECT_EQ(missing_artifacts(work_, work_folder()), std::vector{weights}) << "its base, so to speak";
}

TEST_F(BroughtArtifact, IsNeededWhereItsOwnCheckpointMayNotBeExactEnough) {
  fs::create_directories(work_folder() / "checkpoints" / work_.stage->id.text / "1" / "4");
  work_.require_exact = true;
  EXPECT_EQ(missing_artifacts(work_, work_folder()), std::vector{trial_});
}

TEST_F(BroughtArtifact, ThatIsNowhereIsSaidToBe) {
  fs::remove_all(kept());
  EXPECT_FALSE(bring_artifact(trial_, work_folder(), *client(), on_progress_));
}

TEST_F(BroughtArtifact, IsRefusedWithTheReasonWhereNobodyAnswers) {
  revoke_worker(table_, WorkerName{"w1"});
  EXPECT_THROW(bring(), SourceMissing);
}

TEST_F(BroughtArtifact, ComesWithTheWeightsThatItLiesOn) {
  const TrialId weights{sha256_hex("weights")};
  work_.stage->start->weights = weights;
  EXPECT_EQ(missing_artifacts(work_, work_folder()), (std::vector{trial_, weights}));
  work_.kind = WorkKind::evaluate;
  EXPECT_EQ(missing_artifacts(work_, work_folder()), (std::vector{work_.stage->trial, weights}));
}

TEST_F(BroughtArtifact, IsReadInsideItsFolderOnly) {
  std::ofstream(folder_.path() / "artifacts" / "secret") << "x";
  EXPECT_THROW(shelf_.read(trial_.text, "../secret", 0, 10), ShelfError);
  EXPECT_THROW(shelf_.read("../artifacts", "secret", 0, 10), ShelfError);
  EXPECT_EQ(shelf_.read(trial_.text, "empty", 0, 10).bytes, "");
  EXPECT_EQ(shelf_.read(trial_.text, "adapter_config.json", 9, 10).bytes, "") << "nothing beyond the end";
}

TEST_F(Bulk, ALogIsLeftAsItGrowsByTheWorkerThatWritesIt) {
  const Lease lease{UnitId{sha256_hex("stage")}, 2};
  const std::string text = bytes_of(2'500'000);
  std::ofstream(file(), std::ios::binary) << text;
  const auto from = client();
  EXPECT_THROW(from->store_log(lease, file(), -1), BulkNotYours);
  granted_ = {lease};
  EXPECT_EQ(from->store_log(lease, file(), -1), std::ssize(text));
  std::ofstream(file(), std::ios::binary | std::ios::app) << "one more line\n";
  EXPECT_EQ(from->store_log(lease, file(), std::ssize(text)), std::ssize(text) + 14);
  EXPECT_EQ(client()->store_log(lease, file(), -1), std::ssize(text) + 14)
      << "a new process asks where it stands";
  EXPECT_EQ(log_so_far(folder_.path() / "logs", lease), text + "one more line\n");
}

TEST_F(Bulk, AnArtifactMayHaveAThousandFilesAndNoMore) {
  finished_ = sha256_hex("trial");
  const auto artifact_of = [&](int files) {
    ShelveArtifact out{.trial = finished_, .files = {}};
    for (int i = 0; i < files; ++i)
      out.files.push_back({"shards/model-" + std::to_string(i) + ".safetensors", sha256_hex("x"), 1});
    return out;
  };
  const auto from = client();
  EXPECT_FALSE(from->shelve(artifact_of(1'000))) << "understood; its files have not arrived";
  EXPECT_NE(error_of([&] { from->shelve(artifact_of(1'001)); }).find("where 1000 are taken"),
            std::string::npos);
  EXPECT_NE(error_of([&] { from->shelve(artifact_of(5'000)); }).find("an artifact of 5000 files"),
            std::string::npos);
}

TEST_F(Bulk, ALogOverItsLimitIsNotTaken) {
  const std::string unit = sha256_hex("stage");
  granted_ = {{UnitId{unit}, 1}, {UnitId{unit}, 2}};
  const auto from = client();
  const auto send = [&](Attempt attempt, size_t bytes) {
    std::ofstream(file(), std::ios::binary) << bytes_of(bytes);
    return error_of([&] { from->store_log({UnitId{unit}, attempt}, file(), -1); });
  };
  EXPECT_NE(send(1, 3'000'001).find("longer than a log may be"), std::string::npos);
  EXPECT_EQ(send(2, 1'000'000), "");
}

TEST_F(Bulk, TheOldestLogsGoWhenTheShelfIsFull) {
  const UnitId unit{sha256_hex("stage")};
  const auto log = [&](Attempt attempt) { return log_file(folder_.path() / "logs", {unit, attempt}); };
  const auto leave = [&](Attempt attempt, size_t bytes, std::chrono::hours old) {
    granted_.insert({unit, attempt});
    EXPECT_EQ(logs_.append(WorkerName{"w1"}, {unit, attempt}, 0, bytes_of(bytes)), static_cast<int64_t>(bytes));
    fs::last_write_time(log(attempt), fs::file_time_type::clock::now() - old);
  };
  leave(1, 1'000'000, std::chrono::hours(2));
  leave(2, 1'000'000, std::chrono::hours(4));
  leave(3, 1'500'000, std::chrono::hours(1));
  leave(4, 1'000'000, std::chrono::hours(0));
  EXPECT_TRUE(fs::exists(log(1)));
  EXPECT_FALSE(fs::exists(log(2)));
  EXPECT_TRUE(fs::exists(log(3)));
  EXPECT_THROW(logs_.append(WorkerName{"w1"}, {unit, 2}, 0, "again"), ShelfError) << "it would push out others";
  EXPECT_EQ(logs_.append(WorkerName{"w1"}, {unit, 4}, 1'000'000, "more"), 1'000'004);
}

TEST_F(Bulk, ALogIsReadFromAnyPlaceAndFromItsEnd) {
  const Lease lease{UnitId{sha256_hex("stage")}, 1};
  granted_ = {lease};
  const fs::path logs = folder_.path() / "logs";
  EXPECT_EQ(read_log(logs, lease, 0).size, 0) << "nothing has come yet";
  logs_.append(WorkerName{"w1"}, lease, 0, "first\nsecond\n");
  EXPECT_EQ(logs_.append(WorkerName{"w1"}, lease, 3, "elsewhere"), 13)
      << "not taken: it does not begin at the end";
  EXPECT_EQ(read_log(logs, lease, 6).text, "second\n");
  EXPECT_EQ(read_log(logs, lease, -7).text, "second\n");
  EXPECT_EQ(read_log(logs, lease, -100).text, "first\nsecond\n");
  EXPECT_EQ(read_log(logs, lease, 99).text, "");
}

TEST_F(Bulk, AnArtifactCannotLeaveItsFolder) {
  finished_ = sha256_hex("trial");
  const auto from = client();
  for (const char* name : {"../escaped", "/tmp/escaped", "", "a/../../b"})
    EXPECT_NE(error_of([&] {
                from->shelve({finished_, {{name, sha256_hex("x"), 1}}});
              }).find("not a name below"),
              std::string::npos)
        << name;
  EXPECT_NE(error_of([&] {
              from->shelve({"..", {{"a", sha256_hex("x"), 1}}});
            }).find("not a trial's artifact"),
            std::string::npos);
}

TEST(BulkProtocol, RefusesWhatIsNotItsOwn) {
  const std::string head = encode(BulkMessage{Piece{.sha256 = "x", .total = 3, .offset = 1}});
  EXPECT_EQ(std::get<Piece>(decode_bulk_message(head)).total, 3);
  std::string unknown = head;
  unknown[4] = 99;
  for (const std::string& bad : {std::string("RTBK"), std::string("RTEN") + head.substr(4), unknown,
                                 std::string("RTBK\0", 5) + std::string(20'000, '\x91')})
    EXPECT_THROW(decode_bulk_message(bad), ProtocolError);
}

}  // namespace
}  // namespace ranktide
