#pragma once
// Says what a number on the command line must be at least: CLI11's own check names the largest double instead.
// Any thread.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace ranktide::cli {

// For an option of whole numbers.
inline CLI::Validator at_least(int64_t least) {
  const auto fault_of = [least](const std::string& text) -> std::string {
    int64_t number = 0;
    if (CLI::detail::lexical_cast(text, number) && number >= least) return "";
    return "\"" + text + "\" is not a whole number of at least " + std::to_string(least);
  };
  return CLI::Validator(fault_of, least > 0 ? "POSITIVE" : "NONNEGATIVE");
}

}  // namespace ranktide::cli
