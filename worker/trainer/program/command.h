#pragma once
// The commands of ranktide-trainer: one entry each, from which parser, help and main are made. All but `serve`
// and `restore` are windows: they show what the trainer computes, for comparing it with other programs. Their
// formats are stable.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace ranktide {

// Exit codes of the windows; serve has its own (serve.h).
constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Adds its options to `command` and returns what runs when it is chosen; that returns an exit code.
using Setup = std::function<int()> (*)(CLI::App& command);

struct Command {
  const char* name;
  const char* summary;
  const char* footer;  // format and an example that works
  Setup setup;
};

const std::vector<Command>& commands();

std::function<int()> setup_tokenize(CLI::App& command);
std::function<int()> setup_logits(CLI::App& command);
std::function<int()> setup_eval(CLI::App& command);
std::function<int()> setup_restore(CLI::App& command);
std::function<int()> setup_selfcheck(CLI::App& command);
std::function<int()> setup_gemm(CLI::App& command);
std::function<int()> setup_serve(CLI::App& command);

}  // namespace ranktide
