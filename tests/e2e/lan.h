#pragma once
// Several hosts on this machine: each has a network of its own with one address, a cable to a common switch
// that can be pulled, and a folder that only it sees; all other files are common. Made of namespaces, as root
// or, where user namespaces are allowed, for a plain user. Not an engine of containers: users and processes are
// common, and so is the time. One thread.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/program.h"

namespace ranktide::e2e {

struct Host {
  std::string name;
  std::filesystem::path folder;  // made when absent; not inside that of another
};

class Lan {
 public:
  // Returns: why this machine can have no such hosts, for a test to skip with; empty: it can.
  // output: a folder for what the tools say.
  static std::string obstacle(const std::filesystem::path& output);

  // Requires: obstacle() is empty.
  Lan(std::vector<Host> hosts, std::filesystem::path output);

  // Returns: `argv` as it runs on that host, with its pid and signals.
  std::vector<std::string> on(const std::string& host, std::vector<std::string> argv) const;
  std::string address(const std::string& host) const;

  void unplug(const std::string& host) const { set_cable(host, "down"); }
  void plug_in(const std::string& host) const { set_cable(host, "up"); }

 private:
  size_t index(const std::string& host) const;
  std::string cable(const std::string& host) const;
  void connect(const std::string& host) const;
  void hide_folders_from(const std::string& host) const;
  void set_cable(const std::string& host, const std::string& state) const;
  void must_run(const std::vector<std::string>& argv) const;

  std::vector<Host> hosts_;
  std::filesystem::path output_;
  std::unique_ptr<Program> switch_;                // holds the namespace of the switch
  std::vector<std::unique_ptr<Program>> holders_;  // of each host's namespaces, in the order of hosts_
};

}  // namespace ranktide::e2e
