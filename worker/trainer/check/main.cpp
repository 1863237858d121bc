// ranktide-selfcheck: the self-check as a program of its own, for a machine that has LibTorch and a compiler
// and little else. ranktide-trainer has the same as a command, and a parser of options that this one must do
// without.

#include <charconv>
#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <string_view>

#include "worker/trainer/check/selfcheck.h"

namespace ranktide {
namespace {

constexpr int kThreadsMax = 1024;

constexpr const char* kUsage =
    "usage: ranktide-selfcheck [--quick] [--json] [--device cpu|cuda] [--threads N]\n"
    "Trains a small model of every family there is beside the same steps in fp64, and resumes it.\n"
    "  --quick           only what the trainer stands on: LibTorch, threads, kernels, a mask, one gradient\n"
    "  --json            one JSON object instead of the table\n"
    "  --device cpu|cuda default: cpu; cuda takes LibTorch's CUDA build, and was never tried on a real GPU\n"
    "  --threads N       CPU threads, default: 1\n"
    "Exit codes: 0 all good, 1 something failed, 2 wrong use.\n";

std::optional<int> threads_of(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc{} || end != text.data() + text.size() || threads < 1 || threads > kThreadsMax)
    return std::nullopt;
  return threads;
}

// Returns: nullopt for words that are no options.
std::optional<SelfcheckOptions> options_of(int count, char** words) {
  SelfcheckOptions options;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i], value = i + 1 < count ? words[i + 1] : "";
    if (word == "--quick") {
      options.quick = true;
    } else if (word == "--json") {
      options.json = true;
    } else if (word == "--device" && (value == "cpu" || value == "cuda")) {
      options.device = value;
      ++i;
    } else if (const auto threads = threads_of(value); word == "--threads" && threads) {
      options.threads = *threads;
      ++i;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace
}  // namespace ranktide

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::cout << ranktide::kUsage;
    return 0;
  }
  const auto options = ranktide::options_of(argc, argv);
  if (!options) {
    std::cerr << ranktide::kUsage;
    return 2;
  }
  try {
    return ranktide::selfcheck(*options, std::cout);
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return 1;
  }
}
