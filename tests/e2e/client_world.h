#pragma once
// A coordinator on loopback, workers that join it from folders of their own, and a client that knows it by a
// context, each a program of its own. Needs the trainer. For fixtures: one verb per function.

#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {

class ClientWorld : public testing::Test {
 protected:
  ClientWorld() : coordinator_(serving()) {
    EXPECT_TRUE(coordinator_.says("to clients at", std::chrono::seconds(60)))
        << read_text(world_.folder() / "coordinator/err");
    ::setenv("XDG_CONFIG_HOME", (world_.folder() / "config").c_str(), 1);
    EXPECT_EQ(ask({"context", "add", "lab", "--coordinator", url()}).exit_code, 0);
  }
  ~ClientWorld() override { ::unsetenv("XDG_CONFIG_HOME"); }

  // A client has no data folder of its own: only the context says whom it means.
  Ended ask(std::vector<std::string> words, std::chrono::seconds limit = std::chrono::seconds(600)) const {
    words.insert(words.begin(), ranktide_program().string());
    return run(words, world_.folder() / "client", limit);
  }
  Json ask_json(std::vector<std::string> words) const {
    words.push_back("--json");
    return parse_json(ask(std::move(words)).out);
  }
  std::string url() const { return "http://" + trimmed(read_text(data() / "coordinator.http")); }
  std::filesystem::path data() const { return world_.data(); }
  std::filesystem::path home_of(const std::string& name) const { return world_.folder() / name; }
  std::filesystem::path output_of(const std::string& name) const {
    return world_.folder() / (name + "-output");
  }
  std::unique_ptr<Program> worker(const std::string& name, const std::vector<std::string>& more = {}) const {
    const Ended invite =
        run({ranktide_program().string(), "invite", "--data-dir", data().string()}, world_.folder() / "invite");
    EXPECT_EQ(invite.exit_code, 0) << invite.err;
    std::vector<std::string> words{ranktide_program().string(),
                                   "worker",
                                   "--data-dir",
                                   home_of(name).string(),
                                   "--name",
                                   name,
                                   "--slots",
                                   "1",
                                   "--gpus",
                                   "none",
                                   "--join",
                                   trimmed(invite.out)};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<Program>(words, output_of(name));
  }
  std::string state_of(const std::string& sweep) const { return ask_json({"status", sweep}).at(0).at("state"); }

  static std::string trimmed(std::string text) { return text.substr(0, text.find_first_of("\r\n")); }

  TinyWorld world_;
  Program coordinator_;

 private:
  Program serving() const {
    return Program({ranktide_program().string(), "coordinator", "--bind", "tcp://127.0.0.1:*", "--http",
                    "127.0.0.1:0", "--data-dir", world_.data().string()},
                   world_.folder() / "coordinator");
  }
};

}  // namespace ranktide::e2e
