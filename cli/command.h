#pragma once
// The command table: one entry per command, from which the parser, the help and the list of commands are made.
// A command prints and calls; it decides nothing about sweeps. One thread.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/exit_codes.h"

namespace ranktide::cli {

// What every command takes.
struct GlobalOptions {
  std::string data_dir;  // empty: folders.h decides
  bool json = false;
  bool quiet = false;
  std::string context;         // name of a coordinator (contexts.h)
  std::string coordinator;     // URL of one; both empty: coordinator_choice.h decides
  std::string color = "auto";  // auto, always, never
};

// Adds its own options to `command` and returns what runs when it is chosen; that returns an exit code.
using Setup = std::function<int()> (*)(CLI::App& command, const GlobalOptions& globals);

struct Word {  // a command below a command, as `list` in `worker list`; its setup is its command's
  const char* name;
  const char* example;
  bool asks_coordinator = false;
};

struct Command {
  const char* name;
  const char* summary;
  const char* example;  // a line that works
  Setup setup;
  bool asks_coordinator = false;  // takes --context and --coordinator
  int usage_code = kUsage;        // of a command line that is not understood; services have their own table
  std::vector<Word> words{};
};

// In the order of the help: the daily ones first.
const std::vector<Command>& commands();

// Ends a command with a message for people and a code of exit_codes.h.
struct CommandError : std::runtime_error {
  CommandError(int exit_code, const std::string& message) : std::runtime_error(message), code(exit_code) {}
  int code;
};

std::function<int()> setup_run(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_plan(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_query(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_compare(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_fetch(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_report(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_status(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_logs(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_submit(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_watch(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_list(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_pause(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_resume(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_stop(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_cancel(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_retry(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_set(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_context(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_worker(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_invite(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_keygen(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_authorise(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_coordinator(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_token(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_health(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_import(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_slurm(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_doctor(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_help(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_version(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_completion(CLI::App& command, const GlobalOptions& globals);
std::function<int()> setup_man_pages(CLI::App& command, const GlobalOptions& globals);

}  // namespace ranktide::cli
