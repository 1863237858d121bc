// What is answered to reads, without sockets, and the changes that the stream tells.

#include "coordinator/edge/api.h"

#include <atomic>
#include <fstream>
#include <future>
#include <gtest/gtest.h>

#include "common/vocabulary/numerics.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/artifact_hasher.h"
#include "coordinator/edge/artifact_routes.h"
#include "coordinator/edge/event_log.h"
#include "coordinator/edge/log_shelf.h"
#include "coordinator/edge/query_attempts.h"
#include "coordinator/edge/query_past.h"
#include "coordinator/edge/query_workers.h"
#include "coordinator/edge/report.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

class Api : public testing::Test {
 protected:
  Api() {
    History h(folder_.path());
    h.begin();
    h.numerics = kNumericsVersion;
    h.submit("tide");
    trial_ = h.ran({.rank = 4}, 1.0, 3.0).id.text;
    h.listed();
  }
  ApiResponse get(const std::string& target) const { return answer_read(folder_.path(), target); }

  TemporaryFolder folder_;
  std::string trial_;
};

TEST_F(Api, AnswersAQueryAsTheReaderDoes) {
  const QueryRequest request{.sweeps = {"tide"}, .where = "rank = 4"};
  const std::string direct = print(query(Reader(folder_.path()), request), FrameFormat::csv);
  const ApiResponse answer = get(query_target(request, "csv"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.type, "text/csv");
  EXPECT_EQ(answer.body, direct);
}

TEST_F(Api, AQueryThatSelectsSaysSoInItsTarget) {
  for (const QueryRequest& request :
       {QueryRequest{.sweeps = {"tide"}, .select = {"lr=best:learning"}},
        QueryRequest{.sweeps = {"tide"}, .select = {"lr=best"}, .select_on = "prose_loss"},
        QueryRequest{.sweeps = {"tide"}, .keeps_tuned = true}}) {
    const std::string direct = print(query(Reader(folder_.path()), request), FrameFormat::json);
    EXPECT_EQ(get(query_target(request, "json")).body, direct);
  }
  EXPECT_EQ(get("/api/v1/query?sweep=tide&select=lr").status, 400);
}

TEST_F(Api, AReadThatTakesTooLongIsEndedAndSaid) {
  const ApiResponse late = answer_read(folder_.path(), "/api/v1/sweeps", "", std::chrono::milliseconds{0});
  EXPECT_EQ(late.status, 503);
  EXPECT_THAT(late.body, testing::HasSubstr("ask for less"));
}

TEST_F(Api, ListsSweepsTrialsAttemptsAndWorkers) {
  EXPECT_EQ(from_json<std::vector<SweepStatus>>(parse_json(get("/api/v1/sweeps").body)).at(0).name, "tide");
  EXPECT_EQ(parse_json(get("/api/v1/trials?prefix=" + trial_.substr(0, 8)).body), Json::array({trial_}));
  const auto history = from_json<TrialHistory>(parse_json(get("/api/v1/attempts?trial=" + trial_).body));
  EXPECT_TRUE(history.is_over);
  ASSERT_EQ(history.attempts.size(), 1u);
  EXPECT_EQ(history.attempts[0].worker, "w1");
  EXPECT_FALSE(history.attempts[0].is_running);
  const auto workers = from_json<std::vector<WorkerStatus>>(parse_json(get("/api/v1/workers").body));
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].name, "w1");
  EXPECT_EQ(workers[0].state, "joined");
  EXPECT_EQ(workers[0].slots.size(), 1u);
  EXPECT_EQ(workers[0].running, 0);
}

TEST_F(Api, AnswersAPartOfALogEvenWhereItIsNoText) {
  const std::string unit(64, 'a');
  std::filesystem::create_directories(folder_.path() / "logs" / unit);
  std::ofstream(folder_.path() / "logs" / unit / "2.log") << "step 1\n\xff\n";
  const auto part =
      from_json<LogPart>(parse_json(get("/api/v1/log?unit=" + unit + "&attempt=2&offset=5").body));
  EXPECT_EQ(part.offset, 5);
  EXPECT_EQ(part.bytes, 4);
  EXPECT_EQ(part.size, 9);
  EXPECT_EQ(part.text, "1\n\xef\xbf\xbd\n");
  EXPECT_EQ(get("/api/v1/log?unit=" + unit + "&attempt=two").status, 400);
  EXPECT_EQ(get("/api/v1/log?unit=../../keys&attempt=1").status, 400) << "a unit is a hash, never a path";
}

TEST(Standings, TellWhichSweepStoppedATrialEarlyAndByWhichPolicy) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  history.submit("tide");
  const SweepTrial trial = history.list({.rank = 4});
  history.record(
      CellStoppedEarly{.sweep = 1,
                       .revision = 1,
                       .cell = trial.cell,
                       .verdict = {.policy = "p", .rung = 1, .at = 3, .score = -0.1, .place = 2, .of = 2},
                       .stages = {trial.stage}});
  const auto verdicts = [&] { return trials_after(history.reader(), "").at(0).verdicts; };
  ASSERT_EQ(verdicts().size(), 1u);
  EXPECT_EQ(verdicts().at(0).by, stopped_by("tide", "p"));
  EXPECT_EQ(verdicts().at(0).rung, 1);
  EXPECT_EQ(verdicts().at(0).score, -0.1) << "to the last digit: it is compared";
  history.submit("tide", 2);
  EXPECT_TRUE(verdicts().empty()) << "this revision stops nothing";
}

TEST(Standings, TellWhatATrialHasShownOnItsWayOnceAValueWasStopped) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  history.submit("tide");
  TrialWords words{.rank = 4};
  words.is_evaluated_midway = true;
  const SweepTrial trial = history.list(words), other = history.list({.rank = 8});
  history.grant(trial);
  history.midway(trial, 0.1, 3);
  const auto shown = [&] {
    for (const TrialStanding& standing : trials_after(history.reader(), ""))
      if (standing.trial == trial.id.text) return standing.shown;
    return std::vector<StandingScore>{};
  };
  EXPECT_TRUE(shown().empty()) << "nobody would weigh it";
  history.record(CellStoppedEarly{
      .sweep = 1, .revision = 1, .cell = other.cell, .verdict = {.policy = "p"}, .stages = {other.stage}});
  ASSERT_EQ(shown().size(), 2u) << "of two evals";
  const double best = std::max(shown().at(0).score, shown().at(1).score);
  EXPECT_EQ(best, -0.1) << "to the last digit, and higher is better";
  EXPECT_EQ(shown().at(0).spec.size(), kEvalDigits);
  EXPECT_GT(shown().at(0).step, 0);
  EXPECT_LT(shown().at(0).step, trial.steps);
}

TEST_F(Api, TellsWhatTrialsCameToPageByPage) {
  const auto all = from_json<std::vector<TrialStanding>>(parse_json(get("/api/v1/standings").body));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].trial, trial_);
  EXPECT_EQ(all[0].state, "completed");
  EXPECT_EQ(all[0].keep, "adapters");
  ASSERT_EQ(all[0].evals.size(), 2u) << "one it learns, one it retains";
  EXPECT_EQ(all[0].evals[0].size(), kEvalDigits);
  EXPECT_FALSE(all[0].settings);
  const auto told = from_json<std::vector<TrialStanding>>(parse_json(get("/api/v1/standings?settings=1").body));
  EXPECT_EQ(told.at(0).settings->lora->rank, 4);
  EXPECT_EQ(get("/api/v1/standings?after=" + trial_).body, "[]");
  EXPECT_EQ(trials_after(Reader(folder_.path()), "", 0).size(), 0u);
  const auto measured = from_json<std::vector<MeasuredTrial>>(parse_json(get("/api/v1/measured").body));
  ASSERT_EQ(measured.size(), 1u);
  EXPECT_EQ(measured[0].settings.lora->rank, 4);
  EXPECT_GT(measured[0].seconds, 0);
}

TEST_F(Api, TellsOnWhatATrainingWasMeasured) {
  Connection writer(database_file(folder_.path()), Connection::Mode::writer);
  const auto device = [&](const std::string& slot) {
    writer.execute("UPDATE record SET body=json_set(body, '$.slots', json('[" + slot +
                   "]')) WHERE kind='WorkerJoined'");
    writer.execute("UPDATE worker SET slots=json('[" + slot + "]')");
    return measured_trials(Reader(folder_.path())).at(0).device;
  };
  EXPECT_EQ(device(R"({"index": 0, "device": "cpu"})"), "cpu");
  EXPECT_EQ(device(R"({"index": 0, "device": "GPU-1", "model": "H200"})"), "H200");
  EXPECT_EQ(device(R"({"index": 0, "device": "GPU-1"})"), "gpu");
}

TEST_F(Api, GivesASweepAsItWasSubmitted) {
  EXPECT_EQ(from_json<SweepSpec>(parse_json(get("/api/v1/spec?sweep=tide").body)).name, "tide");
  EXPECT_EQ(get("/api/v1/spec?sweep=ebb").status, 404);
}

TEST_F(Api, BytesThatAreNoTextDoNotEndIt) {
  Connection writer(database_file(folder_.path()), Connection::Mode::writer);
  writer.execute("UPDATE worker SET version=CAST(x'61ff62' AS TEXT)");
  const ApiResponse answer = get("/api/v1/workers");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("a\uFFFDb"), std::string::npos) << answer.body;
}

TEST_F(Api, GivesATrialsSettings) {
  const Json settings = parse_json(get("/api/v1/settings?trial=" + trial_).body);
  EXPECT_EQ(settings.at("lora.rank"), 4);
  EXPECT_EQ(settings.at("content"),
            (Json{{"model", sha256_hex("base")}, {"tokenizer", sha256_hex("tokenizer")}, {"data", ""}}));
  EXPECT_EQ(get("/api/v1/settings?trial=ebb").status, 404);
}

TEST_F(Api, AnswersAReportAsTheReaderDoes) {
  const ApiResponse page = answer_read(folder_.path(), "/api/v1/report?sweep=tide", "1.2");
  EXPECT_EQ(page.type, "text/html; charset=utf-8");
  EXPECT_EQ(page.body,
            report_html(Reader(folder_.path()), {.sweep = "tide", .command = "", .program_version = "1.2"}));
  EXPECT_EQ(get("/api/v1/report?sweep=ebb").status, 404);
}

TEST_F(Api, GivesWhatATrialLeftInPieces) {
  const std::string artifact = "/api/v1/artifacts/" + trial_;
  EXPECT_EQ(get(artifact).status, 404);
  const auto folder = artifacts_folder(folder_.path(), TrialId{trial_});
  std::filesystem::create_directories(folder / "sub");
  const std::string large(kArtifactPieceBytesMax + 3, 'x');
  std::ofstream(folder / "adapter.safetensors") << large;
  std::ofstream(folder / "sub" / "config.json") << "{}";
  const auto list = from_json<Artifact>(parse_json(get(artifact).body));
  ASSERT_EQ(list.files.size(), 2u);
  EXPECT_EQ(list.files[0].path, "adapter.safetensors");
  EXPECT_EQ(list.files[0].sha256, sha256_hex(large));
  EXPECT_EQ(list.files[0].bytes, static_cast<int64_t>(large.size()));
  EXPECT_EQ(get(artifact_target(trial_, "sub/config.json", 0)).body, "{}");
  EXPECT_EQ(get(artifact + "/adapter.safetensors").body.size(), kArtifactPieceBytesMax);
  EXPECT_EQ(get(artifact_target(trial_, "adapter.safetensors", kArtifactPieceBytesMax)).body, "xxx");
  EXPECT_EQ(get(artifact + "/adapter.safetensors?offset=99999999").body, "");
  EXPECT_EQ(get(artifact + "/adapter.safetensors?offset=x").status, 400);
  EXPECT_EQ(get(artifact + "/none").status, 404);
}

// Of 50,000 entries that are read for each question of each worker.
TEST_F(Api, HashesAreReadAgainOnlyWhereTheirFileHasChanged) {
  const auto file = folder_.path() / "adapter.safetensors", cache = folder_.path() / "cache";
  std::ofstream(file) << "weights";
  ArtifactHasher hasher(cache);
  ASSERT_FALSE(hasher.hash({file}, std::chrono::seconds(30)));
  ASSERT_EQ(hasher.known_sha256(file), sha256_hex("weights"));
  const auto written = std::filesystem::last_write_time(cache / "hashes.json");
  std::fstream(cache / "hashes.json", std::ios::in | std::ios::out) << "torn";
  std::filesystem::last_write_time(cache / "hashes.json", written);
  EXPECT_EQ(hasher.known_sha256(file), sha256_hex("weights")) << "it is remembered";
  std::filesystem::last_write_time(cache / "hashes.json", written + std::chrono::seconds(1));
  EXPECT_FALSE(hasher.known_sha256(file));
}

// The first list of a large artifact waited for hours, and with it one of four threads.
TEST_F(Api, AnArtifactsListIsAskedForAgainWhileASlowDiskIsHashed) {
  const auto folder = artifacts_folder(folder_.path(), TrialId{trial_});
  std::filesystem::create_directories(folder);
  const std::string large((4 << 20) + 5, 'x');
  std::ofstream(folder / "adapter.safetensors") << large;
  std::promise<void> disk;
  std::atomic<int> pieces{0};
  ArtifactHasher hasher(folder_.path() / "cache", [&, ready = disk.get_future().share()] {
    if (pieces++ == 1) ready.wait();
  });
  const auto ask = [&] {
    return answer_read(folder_.path(), "/api/v1/artifacts/" + trial_, "", kReadTime, &hasher);
  };
  const auto begin = std::chrono::steady_clock::now();
  const ApiResponse early = ask();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1'500)) << "others ask, too";
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(early.retry_after_s, 1);
  const auto standing = [&] { return from_json<StillHashing>(parse_json(ask().body)); };
  EXPECT_EQ(standing().bytes, static_cast<int64_t>(large.size()));
  for (int again = 0; standing().hashed == 0 && again < 300; ++again) continue;
  EXPECT_EQ(standing().hashed, 4 << 20);
  disk.set_value();
  ApiResponse list = ask();
  for (int again = 0; list.status == 503 && again < 300; ++again) list = ask();
  ASSERT_EQ(list.status, 200) << list.body;
  EXPECT_EQ(from_json<Artifact>(parse_json(list.body)).files.at(0).sha256, sha256_hex(large));
  EXPECT_EQ(pieces, 3) << "it is read once";
}

TEST_F(Api, AFileThatCannotBeHashedIsSaidAndReadAgainWhenItIsAskedForAgain) {
  TemporaryFolder folder;
  ArtifactHasher hasher(folder.path() / "cache");
  const std::vector<std::filesystem::path> files{folder.path() / "adapter"};
  for (int asked = 0; asked < 2; ++asked)
    EXPECT_THROW((void)hasher.hash(files, std::chrono::seconds(60)), std::runtime_error);
  std::ofstream(files[0]) << "x";
  EXPECT_EQ(hasher.hash(files, std::chrono::seconds(60)), std::nullopt);
}

TEST_F(Api, NoPathOfAnArtifactLeadsAnywhereElse) {
  const auto folder = artifacts_folder(folder_.path(), TrialId{trial_});
  std::filesystem::create_directories(folder);
  std::filesystem::create_symlink("/etc/passwd", folder / "link");
  std::ofstream(folder_.path() / "secret") << "x";
  const std::string artifacts = "/api/v1/artifacts/";
  for (const std::string& target :
       {artifacts, artifacts + "..", artifacts + "../secret", artifacts + trial_ + "/../../secret",
        artifacts + trial_ + "/%2e%2e/%2e%2e/secret", artifacts + trial_ + "//etc/passwd",
        artifacts + trial_ + "/", artifacts + trial_.substr(0, 12)})
    EXPECT_EQ(get(target).status, 400) << target;
  EXPECT_EQ(get(artifacts + trial_ + "/link").status, 404);
}

TEST_F(Api, TellsWhereAModelOfThisContentLay) {
  EXPECT_EQ(get("/api/v1/models?sha256=" + sha256_hex("nobody's")).body, "[]");
  EXPECT_EQ(get("/api/v1/models?sha256=../x").status, 400);
}

TEST_F(Api, SaysWhatIsWrongWithTheStatusThatFits) {
  EXPECT_EQ(get("/api/v1/query?sweep=ebb").status, 404);
  EXPECT_EQ(get("/api/v1/query?sweep=tide&where=rank%20%3E").status, 400);
  EXPECT_EQ(get("/api/v1/query?sweep=tide&format=xml").status, 400);
  EXPECT_EQ(get("/api/v1/query?sweep=%4").status, 400);
  EXPECT_EQ(get("/nothing").status, 404);
}

// ---- changes, as the stream tells them

Json data_of(const Change& change) {
  const size_t begin = change.text.find("data: ") + 6;
  return parse_json(change.text.substr(begin, change.text.find('\n', begin) - begin));
}

TEST(EventLog, TellsEachRecordOnceWithItsNumberAndWhatItIsAbout) {
  const TemporaryFolder folder;
  History h(folder.path());
  h.begin();
  h.submit("tide");
  const SweepTrial trial = h.list({.rank = 4});
  h.grant(trial);
  const Reader reader = h.reader();
  const int64_t before = newest_record(reader);
  h.end(trial, OutcomeKind::failed, "boom\n\"x\"");
  const auto all = changes_after(reader, 0, 100);
  ASSERT_EQ(all.size(), static_cast<size_t>(newest_record(reader)));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].record, static_cast<int64_t>(i) + 1);
  EXPECT_TRUE(all[2].text.starts_with("id: 3\nevent: SweepSubmitted\ndata: {")) << all[2].text;
  EXPECT_EQ(data_of(all[2]).at("sweeps"), Json::array({"tide"}));
  EXPECT_EQ(data_of(all[3]).at("trial"), trial.id.text);

  const auto last = changes_after(reader, before, 100);
  ASSERT_EQ(last.size(), 1u);
  const Json failed = data_of(last[0]);
  EXPECT_EQ(failed.at("unit"), trial.stage.text);
  EXPECT_EQ(failed.at("attempt"), 1);
  EXPECT_EQ(failed.at("outcome"), "failed");
  EXPECT_EQ(failed.at("message"), "boom\n\"x\"");
  EXPECT_EQ(failed.at("trial"), trial.id.text);
  EXPECT_EQ(failed.at("sweeps"), Json::array({"tide"}));
  EXPECT_TRUE(last[0].text.ends_with("}\n\n"));
  EXPECT_EQ(changes_after(reader, 1, 1).size(), 1u);
  EXPECT_TRUE(changes_after(reader, newest_record(reader), 10).empty());
}

TEST(Target, ComesBackFromItsEscapes) {
  const std::string odd = "a b&c=d%/ü+";
  const Target target = parse_target("/p?x=" + percent_encode(odd) + "&x=2&y");
  EXPECT_EQ(target.path, "/p");
  EXPECT_EQ(target.arguments.find("x")->second, odd);
  EXPECT_EQ(target.arguments.count("x"), 2u);
  EXPECT_EQ(target.arguments.find("y")->second, "");
}

}  // namespace
}  // namespace ranktide
