// Every command takes --json, and with it prints JSON on standard output and nothing else there.

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;

namespace fs = std::filesystem;

class JsonOutput : public testing::Test {
 protected:
  JsonOutput() { ::setenv("XDG_CONFIG_HOME", (world_.folder() / "config").c_str(), 1); }
  ~JsonOutput() override { ::unsetenv("XDG_CONFIG_HOME"); }

  // Runs it with --json. Returns: what it printed.
  Json said_by(std::vector<std::string> words) {
    const std::string command = words.at(0);
    words.push_back("--json");
    const Ended ended = world_.ranktide(words);
    EXPECT_EQ(ended.exit_code, 0) << command << ": " << ended.err;
    asked_.insert(command);
    return json_of(command, ended.out);
  }

  // Ends a service that was started with --json. Returns: what it printed.
  Json said_by(const std::string& command, Program& service) {
    service.signal(SIGTERM);
    asked_.insert(command);
    return json_of(command, service.wait(120s).out);
  }

  static Json json_of(const std::string& command, const std::string& out) {
    try {
      return parse_json(out);
    } catch (const std::exception& error) {
      ADD_FAILURE() << command << " printed no JSON (" << error.what() << "):\n" << out;
      return Json::object();
    }
  }

  // Returns: the names of all commands; each one's help must offer --json.
  std::set<std::string> all_commands() const {
    const std::string help = run({ranktide_program().string(), "--help"}, world_.folder() / "help").out;
    std::istringstream lines(help.substr(help.find("Subcommands:")));
    std::set<std::string> out;
    std::string line;
    for (std::getline(lines, line); std::getline(lines, line);) {
      const std::string name = line.substr(0, line.find(' ', 2)).substr(std::min<size_t>(2, line.size()));
      if (name.empty()) continue;
      const Ended ended = run({ranktide_program().string(), name, "--help"}, world_.folder() / "help");
      EXPECT_THAT(ended.out, testing::HasSubstr("--json")) << name;
      out.insert(name);
    }
    return out;
  }

  std::vector<std::string> coordinator_command() const {
    return world_.command({"coordinator", "--bind", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0", "--json"});
  }

  std::vector<std::string> worker_command(const std::string& line) const {
    return {ranktide_program().string(),
            "worker",
            "--join",
            line,
            "--name",
            "node8",
            "--json",
            "--data-dir",
            (world_.folder() / "node8").string()};
  }

  std::string another_sweep() const {
    std::string text = TinyWorld::sweep_text();
    text.replace(text.find("name: tiny"), 10, "name: other");
    const fs::path file = world_.folder() / "other.yaml";
    write_text(file, text);
    return file.string();
  }

  TinyWorld world_;
  std::set<std::string> asked_;
};

TEST_F(JsonOutput, IsJsonOfEveryCommand) {
  const std::string file = world_.sweep().string();
  EXPECT_EQ(said_by({"plan", file}).at("trials"), 8);
  EXPECT_FALSE(said_by({"run", file}).at("rows").empty());
  const std::string trial =
      said_by({"query", "tiny", "--trials", "--where", "method = lora"}).at("rows").at(0).at("trial");
  EXPECT_EQ(said_by({"status", "tiny"}).at(0).at("state"), "finished");
  EXPECT_EQ(said_by({"list"}).size(), 1u);
  EXPECT_EQ(said_by({"logs", trial}).at(0).at("attempt"), 1);
  said_by({"report", "tiny", "-o", (world_.folder() / "page.html").string()});
  EXPECT_TRUE(said_by({"compare", trial, trial}).at("settings").empty());
  const std::string theirs =
      std::string(RANKTIDE_SOURCE_DIR) + "/tests/common/sweep/import/examples/axolotl/sweep.in.yaml";
  EXPECT_FALSE(said_by({"import", "axolotl", theirs}).at("left").empty());
  said_by({"doctor"});
  said_by({"version"});
  EXPECT_EQ(said_by({"help", "exit-codes"}).at("topic"), "exit-codes");
  EXPECT_EQ(said_by({"completion", "bash"}).at("shell"), "bash");
  EXPECT_THAT(said_by({"slurm", "script"}).at("script").get<std::string>(), testing::StartsWith("#!"));
  EXPECT_GT(said_by({"man-pages", (world_.folder() / "man1").string()}).size(), 20u);
  EXPECT_EQ(said_by({"token", "add", "ann"}).at("name"), "ann");
  EXPECT_EQ(said_by({"token", "list"}).size(), 1u);
  EXPECT_EQ(said_by({"token", "revoke", "ann"}).at("standing"), "revoked");
  said_by({"context", "add", "lab", "--coordinator", "http://127.0.0.1:1"});
  said_by({"context", "list"});
  said_by({"context", "use", "local"});
  said_by({"context", "remove", "lab"});

  Program coordinator(coordinator_command(), world_.folder() / "coordinator");
  ASSERT_TRUE(coordinator.says("to clients at", 60s));
  EXPECT_TRUE(said_by({"health"}).at("ok").get<bool>());
  const std::string keys = (world_.folder() / "node7.keys").string();
  said_by({"keygen", "node7", "-o", keys});
  EXPECT_EQ(said_by({"authorise", "node7", keys + "/worker.public"}).at("name"), "node7");
  const std::string line = said_by({"invite"}).at("join");
  Program worker(worker_command(line), world_.folder() / "worker");
  ASSERT_TRUE(worker.says("works in", 60s));
  EXPECT_EQ(said_by("worker", worker).at("worker"), "node8");
  said_by({"worker", "list"});
  said_by({"fetch", trial, "-o", (world_.folder() / "fetched").string()});
  EXPECT_FALSE(said_by({"submit", another_sweep(), "--dry-run"}).at("submitted").get<bool>());
  EXPECT_EQ(said_by({"submit", another_sweep()}).at("sweep"), "other");
  said_by({"set", "other", "--priority", "3"});
  said_by({"pause", "other"});
  said_by({"resume", "other"});
  said_by({"stop", "other"});
  EXPECT_EQ(said_by({"watch", "other"}).at("state"), "stopped");
  said_by({"retry", "other"});
  said_by({"cancel", "other", "--yes"});

  const Json place = said_by("coordinator", coordinator);
  EXPECT_THAT(place.at("clients").get<std::string>(), testing::StartsWith("http://127.0.0.1:"));
  EXPECT_EQ(asked_, all_commands());
}

TEST_F(JsonOutput, OfACoordinatorHoldsTheFirstJoinLine) {
  Program coordinator(coordinator_command(), world_.folder() / "coordinator");
  ASSERT_TRUE(coordinator.says("to clients at", 60s));
  EXPECT_THAT(said_by("coordinator", coordinator).at("join").get<std::string>(),
              testing::StartsWith("ranktide-join/"));
}

}  // namespace
}  // namespace ranktide::e2e
