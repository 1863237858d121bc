#pragma once
// Workers as real processes that join a coordinator from another folder, as they would from another machine.
// The trainer is the fake one: what is tested is who may work, and what happens to the work when that changes.

#include <filesystem>
#include <gtest/gtest.h>

#include "common/net/join_line.h"
#include "coordinator/edge/enrol_door.h"
#include "coordinator/edge/join_lines.h"
#include "tests/e2e/program.h"
#include "tests/worker/daemon/service_world.h"

namespace ranktide {

class JoinWorld : public testing::Test, protected ServiceWorld {
 protected:
  JoinWorld() { start_coordinator(endpoint_); }

  JoinAddresses addresses() const { return join_addresses(endpoint_, door_.endpoint()); }
  std::string line(int uses = 1, Duration good_for = Duration(60'000)) const {
    return new_join_line(data(), addresses(), uses, good_for);
  }
  std::filesystem::path home(const std::string& name) const { return folder_of_all_.path() / name; }
  // Whether a trainer of the worker has said so.
  bool logs_say(const std::string& name, const std::string& text) const {
    std::error_code absent;
    for (const auto& file : std::filesystem::recursive_directory_iterator(home(name) / "logs", absent))
      if (file.is_regular_file() && e2e::read_text(file.path()).find(text) != std::string::npos) return true;
    return false;
  }

  // A trainer that takes so long for a step.
  std::filesystem::path trainer(int step_ms) const {
    const std::filesystem::path script = folder_of_all_.path() / ("trainer-" + std::to_string(step_ms));
    e2e::write_text(script, std::string("#!/bin/sh\nexec ") + RANKTIDE_FAKE_TRAINER + " \"$@\" --step-ms " +
                                std::to_string(step_ms) + "\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    return script;
  }
  std::unique_ptr<e2e::Program> worker_in(const std::filesystem::path& folder, const std::string& name,
                                          std::vector<std::string> more, int step_ms = 1) const {
    std::vector<std::string> words{RANKTIDE_PROGRAM, "worker", "--data-dir", folder.string(),
                                   "--name",         name,     "--slots",    "1",
                                   "--gpus",         "none",   "--trainer",  trainer(step_ms).string()};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<e2e::Program>(words, folder.string() + "-output");
  }
  std::unique_ptr<e2e::Program> worker_with(const std::string& name, const std::vector<std::string>& more,
                                            int step_ms = 1) const {
    return worker_in(home(name), name, more, step_ms);
  }
  e2e::Ended worker_ends(const std::string& name, const std::vector<std::string>& more) const {
    return worker_with(name, more)->wait(std::chrono::seconds(120));
  }
  // A command on the coordinator's machine.
  e2e::Ended command(std::vector<std::string> words) const {
    words.insert(words.begin(), RANKTIDE_PROGRAM);
    words.insert(words.end(), {"--data-dir", data().string()});
    return e2e::run(words, folder_of_all_.path() / "output-command");
  }
  bool is_joined(const std::string& name) const {
    return count("worker WHERE state='joined' AND name='" + name + "'") == 1;
  }
  bool joins(const std::string& name, std::chrono::seconds limit = std::chrono::seconds(120)) const {
    return eventually([&] { return is_joined(name); }, limit);
  }

  static int times(const std::string& words, const std::string& text) {
    int out = 0;
    for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++out;
    return out;
  }

  TemporaryFolder folder_of_all_;
  std::string endpoint_ = free_endpoint();
  EnrolDoor door_{{.keys_folder = data() / "keys"}};
};

}  // namespace ranktide
