// `selfcheck`: prints what selfcheck.h finds.

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>

#include "worker/trainer/program/command.h"
#include "worker/trainer/program/selfcheck.h"

namespace ranktide {
namespace {

const char* word_of(Verdict verdict) {
  if (verdict == Verdict::failed) return "FAILED";
  return verdict == Verdict::warning ? "warning" : "ok";
}

int print_selfcheck(int threads) {
  const std::vector<Finding> findings = selfcheck(threads);
  for (const Finding& f : findings)
    std::cout << std::left << std::setw(9) << word_of(f.verdict) << std::setw(11) << f.subject << f.detail
              << "\n";
  const bool failed = std::any_of(findings.begin(), findings.end(),
                                  [](const Finding& f) { return f.verdict == Verdict::failed; });
  return failed ? kExitFailed : kExitOk;
}

}  // namespace

std::function<int()> setup_selfcheck(CLI::App& command) {
  const auto threads = std::make_shared<int>(1);
  command.add_option("--threads", *threads, "CPU threads")->check(CLI::Range(1, 1024))->capture_default_str();
  return [threads] { return print_selfcheck(*threads); };
}

}  // namespace ranktide
