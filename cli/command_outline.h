#pragma once
// The command line as plain data: what completion and manual pages know of the parser's tree. Made once from
// the finished tree; knows nothing of what a command does. Any thread.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ranktide::cli {

struct OptionOutline {
  std::vector<std::string> names;    // -q, --quiet; of a positional its one name without dashes
  std::string value;                 // what it takes, as the help calls it: TEXT, INT; empty: a flag
  std::vector<std::string> choices;  // the only values it takes; empty: any
  std::string text;
  bool is_required = false;
  bool is_repeated = false;
};

struct CommandOutline {
  std::string path;  // ranktide worker drain
  std::string text;
  std::string example;                     // a line that works; empty: none
  std::vector<OptionOutline> options;      // in the order of the help
  std::vector<OptionOutline> positionals;  // in the order of the command line
  std::vector<CommandOutline> commands;

  // Returns: the last word of the path.
  std::string name() const;
};

// Returns: `app` and all below it. Hidden options and commands (an empty group) are left out.
CommandOutline outline_of(const CLI::App& app);

// Returns: the outline and all below it, parents first.
std::vector<const CommandOutline*> all_commands(const CommandOutline& root);

}  // namespace ranktide::cli
