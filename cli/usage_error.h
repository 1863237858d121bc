#pragma once
// What a command line that is not understood is answered with: which word, which command, what is missing.
// Reads the parser's tree and the words; it parses and prints nothing. Any thread.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ranktide::cli {

// Returns: two lines for people, what is wrong and where help is. `words` are the command line without the
// program's name; `error` is what parsing them with `root` threw, and no call for help.
std::string usage_message(const CLI::App& root, const std::vector<std::string>& words,
                          const CLI::ParseError& error);

}  // namespace ranktide::cli
