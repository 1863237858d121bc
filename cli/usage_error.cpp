#include "cli/usage_error.h"

#include <algorithm>
#include <string_view>

#include "cli/command_outline.h"
#include "common/sweep/suggest.h"

namespace ranktide::cli {
namespace {

// How far the words made sense.
struct Reached {
  const CLI::App* command;
  std::string unknown_word;    // where a subcommand was to come
  std::string unknown_option;  // --such
};

// Returns: the option, of the command or of a parent that it falls through to.
const CLI::Option* option_of(const CLI::App& command, const std::string& name) {
  if (const CLI::Option* found = command.get_option_no_throw(name)) return found;
  const CLI::App* parent = command.get_parent();
  return parent && command.get_fallthrough() ? option_of(*parent, name) : nullptr;
}

const CLI::App* subcommand_of(const CLI::App& command, const std::string& word) {
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; }))
    if (below->get_name() == word) return below;
  return nullptr;
}

bool awaits_a_command(const CommandOutline& outline) {
  return !outline.commands.empty() && outline.positionals.empty();
}

Reached follow(const CLI::App& root, const std::vector<std::string>& words) {
  Reached at{&root, "", ""};
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (word.starts_with("--")) {
      const std::string name = word.substr(0, word.find('='));
      const CLI::Option* option = option_of(*at.command, name);
      if (!option) return {at.command, "", name};
      if (name == word && option->get_items_expected_min() > 0) ++i;  // its value
    } else if (word.starts_with("-")) {
      const CLI::Option* option = option_of(*at.command, word);
      if (option && option->get_items_expected_min() > 0) ++i;
    } else if (const CLI::App* below = subcommand_of(*at.command, word)) {
      at.command = below;
    } else if (awaits_a_command(outline_of(*at.command))) {
      return {at.command, word, ""};
    }
  }
  return at;
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

std::vector<std::string_view> words_below(const std::vector<CommandOutline>& commands) {
  std::vector<std::string_view> names;
  for (const CommandOutline& command : commands)
    names.push_back(std::string_view(command.path).substr(command.path.rfind(' ') + 1));
  return names;
}

std::string unknown_option_text(const CommandOutline& command, const std::string& option) {
  std::vector<std::string_view> known;
  for (const OptionOutline& one : command.options)
    for (const std::string& name : one.names)
      if (name.starts_with("--")) known.push_back(name);
  return "there is no option " + option + nearest_remedy(option, known);
}

// Returns: the names of required arguments and options that were not given, each with what it is.
std::string missing_text(const CLI::App& command) {
  std::string out;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_required() || option->count() > 0) continue;
    const bool is_positional = option->get_positional();
    const std::string name = option->get_name(is_positional);
    out += (out.empty() ? "" : ", ") +
           (is_positional ? "the argument \"" + name + "\"" : "the option " + name) + " (" +
           option->get_description() + ")";
  }
  return out.empty() ? "" : out + " is missing";
}

std::string what_is_wrong(const Reached& at, const CLI::ParseError& error) {
  const CommandOutline outline = outline_of(*at.command);
  const auto commands = words_below(outline.commands);
  if (!at.unknown_word.empty())
    return "there is no command \"" + at.unknown_word + "\"" + nearest_remedy(at.unknown_word, commands);
  if (!at.unknown_option.empty()) return unknown_option_text(outline, at.unknown_option);
  if (error.get_name() != "RequiredError") return error.what();
  if (const std::string missing = missing_text(*at.command); !missing.empty()) return missing;
  return commands.empty() ? error.what() : "a command is missing, one of " + listed(commands);
}

}  // namespace

std::string usage_message(const CLI::App& root, const std::vector<std::string>& words,
                          const CLI::ParseError& error) {
  const Reached at = follow(root, words);
  const std::string path = outline_of(*at.command).path;
  return path + ": " + what_is_wrong(at, error) + "\nhint: " + path + " --help\n";
}

}  // namespace ranktide::cli
