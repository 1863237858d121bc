// Where a sweep's files are: in the Hugging Face cache, or on the machine that submits and nowhere else.

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/vocabulary/sha256.h"
#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
namespace fs = std::filesystem;

class SweepInputs : public testing::Test, protected TinyWorld {
 protected:
  SweepInputs() {
    ::setenv("HF_HUB_CACHE", hub().c_str(), 1);  // of the programs that are started
    write_sweep(sweep_text(4, 1));
  }
  ~SweepInputs() override { ::unsetenv("HF_HUB_CACHE"); }

  fs::path hub() const { return folder() / "hub"; }
  void download_model() const {
    const fs::path repository = hub() / "models--org--tiny";
    fs::create_directories(repository / "snapshots");
    fs::rename(model(), repository / "snapshots" / "0123abc");
    write_text(repository / "refs" / "main", "0123abc");
  }
  std::unique_ptr<Program> program(const std::string& name, std::vector<std::string> words) const {
    words.insert(words.begin(), ranktide_program().string());
    return std::make_unique<Program>(words, folder() / name);
  }
  std::unique_ptr<Program> started_coordinator() const {
    return program("coordinator", {"coordinator", "--bind", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0",
                                   "--data-dir", data().string()});
  }
  std::unique_ptr<Program> joined_worker() const {
    const std::string line = read_text(folder() / "coordinator" / "out");
    return program("worker", {"worker", "--join", line.substr(0, line.find('\n')), "--data-dir",
                              (folder() / "node").string(), "--gpus", "none", "--slots", "2"});
  }
  // Once the sweep is over the worker is told to end, and brings what it has left.
  void ends_with(const std::string& name, Program& worker) const {
    EXPECT_EQ(ranktide({"watch", name}).exit_code, 0);
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.wait(300s).exit_code, 0) << read_text(folder() / "worker" / "err");
  }
  // A client with a data folder of its own.
  Ended at_the_desk(std::vector<std::string> words) const {
    std::string address = read_text(data() / "coordinator.http");
    while (!address.empty() && std::isspace(static_cast<unsigned char>(address.back()))) address.pop_back();
    words.insert(words.begin(), ranktide_program().string());
    words.insert(words.end(),
                 {"--coordinator", "http://" + address, "--data-dir", (folder() / "desk").string()});
    return run(words, folder() / "output-desk");
  }
  Json trials_at_the_desk() const {
    const Ended plan = at_the_desk({"plan", sweep().string(), "--list", "--json"});
    EXPECT_EQ(plan.exit_code, 0) << plan.err;
    const Json said = parse_json(plan.out);
    Json ids = Json::array();
    for (const Json& trial : said.at("list")) ids.push_back(trial.at("trial"));
    return ids;
  }
  // In the sweep file; the files themselves are then nowhere but at the coordinator.
  void name_data_by_hash() const {
    std::string text = sweep_text(4, 1);
    for (const char* name :
         {"code_train.txt", "code_held.txt", "math_train.jsonl", "math_held.jsonl", "prose.txt"}) {
      const size_t at = text.find(name);
      text.replace(at, std::string(name).size(), "\"sha256:" + sha256_of_file(folder() / name) + "\"");
      fs::remove(folder() / name);
    }
    write_sweep(text);
  }
};

TEST_F(SweepInputs, AModelIsTakenFromTheHuggingFaceCache) {
  download_model();
  const Ended ended = ranktide({"run", sweep().string(), "model.path=hub:org/tiny"}, 300s);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_FALSE(query_rows().empty());
}

TEST_F(SweepInputs, AModelThatIsNotInTheCacheIsNamedWithTheCommandThatDownloadsIt) {
  const Ended ended = ranktide({"run", sweep().string(), "model.path=hub:org/tiny@v2"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("huggingface-cli download org/tiny --revision v2"));
}

TEST_F(SweepInputs, AModelNamedByTheHashThatPlanPrintsIsTheSameTrials) {
  const auto planned = [&](const std::vector<std::string>& overrides) {
    std::vector<std::string> words{"plan", sweep().string(), "--list", "--json"};
    words.insert(words.end(), overrides.begin(), overrides.end());
    const Ended ended = ranktide(words);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return parse_json(ended.out);
  };
  const Json by_path = planned({});
  const Json& read = by_path.at("models").at(0);
  EXPECT_EQ(read.at("path"), model().string());
  const std::string base = "model.path=sha256:" + read.at("base").get<std::string>();
  const std::string tokenizer = "model.tokenizer=sha256:" + read.at("tokenizer_sha256").get<std::string>();
  EXPECT_THAT(ranktide({"plan", sweep().string()}).out, HasSubstr("model      " + base.substr(11) + "  "));

  EXPECT_EQ(planned({base}), by_path) << "the folder stands there again, and the ids are those of its content";
  EXPECT_EQ(planned({base, tokenizer}).at("list"), by_path.at("list"));
  const Ended ended = ranktide({"run", sweep().string(), base}, 300s);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(planned({}).at("done"), 4) << "by path, of the trials that were named by hash";
}

TEST_F(SweepInputs, AModelWhoseHashNobodyMetIsPlannedWithAWarningAndNotRun) {
  const std::string name = "sha256:" + std::string(64, 'a');
  const Ended plan = ranktide({"plan", sweep().string(), "model.path=" + name});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("warning: " + name + ": no model folder that was hashed on this machine"));
  EXPECT_THAT(plan.out, HasSubstr("provisional"));
  EXPECT_EQ(plan.out.find("tokenizer.json"), std::string::npos) << "one message is enough";
  const Ended run = ranktide({"run", sweep().string(), "model.path=" + name});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("`ranktide plan FILE model.path=FOLDER`, which hashes it"));
}

TEST_F(SweepInputs, DataNamedByHashIsFetchedByWhoeverHasItNotAndMakesTheSameTrials) {
  const auto coordinator = started_coordinator();
  ASSERT_TRUE(coordinator->says("to clients at", 300s)) << read_text(folder() / "coordinator" / "err");
  ASSERT_EQ(ranktide({"submit", sweep().string()}).exit_code, 0);
  const Json by_path = trials_at_the_desk();
  ASSERT_EQ(by_path.size(), 4u);

  name_data_by_hash();
  fs::remove_all(folder() / "desk");  // what it had hashed
  EXPECT_EQ(trials_at_the_desk(), by_path);
  const Ended again = at_the_desk({"submit", sweep().string(), "--json"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.err.find("sending"), std::string::npos) << "the coordinator had it all";

  const auto worker = joined_worker();
  ends_with("tiny", *worker);
  const Ended status = ranktide({"status", "tiny", "--json"});
  EXPECT_EQ(parse_json(status.out).at(0).at("trials").at("completed"), 4) << status.out;
  coordinator->signal(SIGTERM);
}

TEST_F(SweepInputs, AModelNamedByHashIsPlannedAndSubmittedWhereNobodyEverHadIt) {
  const auto coordinator = started_coordinator();
  ASSERT_TRUE(coordinator->says("to clients at", 300s)) << read_text(folder() / "coordinator" / "err");
  const Json planned = parse_json(ranktide({"plan", sweep().string(), "--list", "--json"}).out);
  ASSERT_EQ(ranktide({"submit", sweep().string()}).exit_code, 0);
  const std::string base = "sha256:" + planned.at("models").at(0).at("base").get<std::string>();
  std::string text = sweep_text(4, 1);
  text.replace(text.find("path: model"), 11, "path: \"" + base + "\"");
  text.replace(text.find("name: tiny"), 10, "name: from_the_desk");
  write_sweep(text);
  fs::rename(model(), folder() / "out_of_reach");

  Json by_path = Json::array();
  for (const Json& trial : planned.at("list")) by_path.push_back(trial.at("trial"));
  EXPECT_EQ(trials_at_the_desk(), by_path) << "nothing is provisional";
  const Ended submitted = at_the_desk({"submit", sweep().string(), "--json"});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_EQ(submitted.err.find("not sent"), std::string::npos) << submitted.err;
  ASSERT_EQ(ranktide({"cancel", "tiny", "--yes"}).exit_code, 0) << "what is left is what the desk said";

  const auto worker = joined_worker();
  ends_with("from_the_desk", *worker);
  const Ended status = ranktide({"status", "from_the_desk", "--json"});
  EXPECT_EQ(parse_json(status.out).at(0).at("trials").at("completed"), 4) << status.out;
  coordinator->signal(SIGTERM);
}

TEST_F(SweepInputs, AWorkerElsewhereTrainsOnWhatOnlyTheClientHad) {
  const auto coordinator = started_coordinator();
  ASSERT_TRUE(coordinator->says("to clients at", 300s)) << read_text(folder() / "coordinator" / "err");
  const Json planned = parse_json(ranktide({"plan", sweep().string(), "--json"}).out);
  const std::string base = planned.at("models").at(0).at("base").get<std::string>();
  const Ended submitted = ranktide({"submit", sweep().string(), "model.path=sha256:" + base});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_THAT(submitted.err, HasSubstr("sending"));
  fs::rename(model(), folder() / "out_of_reach");
  for (const auto& entry : fs::directory_iterator(folder()))
    if (entry.path().extension() == ".jsonl" || entry.path().extension() == ".txt") fs::remove(entry.path());

  const auto worker = joined_worker();
  ends_with("tiny", *worker);
  const Ended again = ranktide({"status", "tiny", "--json"});
  EXPECT_EQ(parse_json(again.out).at(0).at("trials").at("completed"), 4) << again.out;
  EXPECT_TRUE(fs::exists(folder() / "node" / "inputs"));
  const auto adapters = std::distance(fs::directory_iterator(data() / "artifacts"), fs::directory_iterator());
  EXPECT_EQ(adapters, 2) << "of the LoRA trials, sent before the worker ended";
  coordinator->signal(SIGTERM);
}

}  // namespace
}  // namespace ranktide::e2e
