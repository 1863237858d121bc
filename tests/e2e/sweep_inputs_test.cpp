// Where a sweep's files are: in the Hugging Face cache, or on the machine that submits and nowhere else.

#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

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

TEST_F(SweepInputs, AWorkerElsewhereTrainsOnWhatOnlyTheClientHad) {
  const auto coordinator = program("coordinator", {"coordinator", "--bind", "tcp://127.0.0.1:*", "--http",
                                                   "127.0.0.1:0", "--data-dir", data().string()});
  ASSERT_TRUE(coordinator->says("to clients at", 60s)) << read_text(folder() / "coordinator" / "err");
  const Ended submitted = ranktide({"submit", sweep().string()});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_THAT(submitted.err, HasSubstr("sending"));
  fs::rename(model(), folder() / "out_of_reach");
  for (const auto& entry : fs::directory_iterator(folder()))
    if (entry.path().extension() == ".jsonl" || entry.path().extension() == ".txt") fs::remove(entry.path());

  const std::string line = read_text(folder() / "coordinator" / "out");
  const auto worker =
      program("worker", {"worker", "--join", line.substr(0, line.find('\n')), "--data-dir",
                         (folder() / "node").string(), "--gpus", "none", "--slots", "2", "--max-idle", "5s"});
  EXPECT_EQ(worker->wait(300s).exit_code, 0) << read_text(folder() / "worker" / "err");
  const Ended again = ranktide({"status", "tiny", "--json"});
  EXPECT_EQ(parse_json(again.out).at(0).at("trials").at("completed"), 4) << again.out;
  EXPECT_TRUE(fs::exists(folder() / "node" / "inputs"));
  const auto adapters = std::distance(fs::directory_iterator(data() / "artifacts"), fs::directory_iterator());
  EXPECT_EQ(adapters, 2) << "of the LoRA trials, sent before the worker ended";
  coordinator->signal(SIGTERM);
}

}  // namespace
}  // namespace ranktide::e2e
