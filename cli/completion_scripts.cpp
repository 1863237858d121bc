#include "cli/completion_scripts.h"

#include <fmt/format.h>

namespace ranktide::cli {
namespace {

std::string joined(const std::vector<std::string>& words, const std::string& between = " ") {
  return CLI::detail::join(words, between);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  return CLI::detail::find_and_modify(std::move(text), what, [&](std::string& s, std::size_t at) {
    s.replace(at, what.size(), with);
    return at + with.size();
  });
}

// In single quotes, as bash, zsh and sh read them.
std::string quoted(const std::string& text) {
  return "'" + replaced(text, "'", R"('\'')") + "'";
}

// 'ranktide run'|'ranktide plan': every path but the root's.
std::string paths_below(const CommandOutline& root, const std::string& between) {
  std::vector<std::string> paths;
  for (const CommandOutline* command : all_commands(root))
    if (command != &root) paths.push_back(quoted(command->path));
  return joined(paths, between);
}

std::vector<std::string> names_of(const std::vector<CommandOutline>& commands) {
  std::vector<std::string> names;
  for (const CommandOutline& command : commands) names.push_back(command.name());
  return names;
}

std::vector<std::string> choices_of_positionals(const CommandOutline& command) {
  std::vector<std::string> choices;
  for (const OptionOutline& positional : command.positionals)
    choices.insert(choices.end(), positional.choices.begin(), positional.choices.end());
  return choices;
}

// ---- bash ----

// 'ranktide query --format') words='table csv' ;;        and in one line those with any value: readline offers
// files
std::string bash_values(const CommandOutline& command) {
  std::string out;
  std::vector<std::string> free;
  for (const OptionOutline& option : command.options) {
    if (option.value.empty()) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names) patterns.push_back(quoted(command.path + " " + name));
    if (option.choices.empty())
      free.insert(free.end(), patterns.begin(), patterns.end());
    else
      out += fmt::format("    {}) words={} ;;\n", joined(patterns, "|"), quoted(joined(option.choices)));
  }
  return free.empty() ? out : out + "    " + joined(free, "|") + ") ;;\n";
}

std::string bash_words(const CommandOutline& command) {
  std::vector<std::string> options, words = names_of(command.commands);
  for (const OptionOutline& option : command.options)
    options.insert(options.end(), option.names.begin(), option.names.end());
  for (const std::string& choice : choices_of_positionals(command)) words.push_back(choice);
  return fmt::format("        {}) options={} words={} ;;\n", quoted(command.path), quoted(joined(options)),
                     quoted(joined(words)));
}

constexpr const char* kBash = R"(# bash completion of ranktide; to load it: source <(ranktide completion bash)
_ranktide() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} path=ranktide options='' words='' word
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$path $word" in
      {paths}) path="$path $word" ;;
    esac
  done
  # --option=value comes as three words
  if [ "$cur" = = ]; then cur=''; elif [ "$prev" = = ]; then prev=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  case "$path $prev" in
{values}    *)
      case "$path" in
{words}      esac
      case "$cur" in -*) words=$options ;; esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}}
complete -o default -F _ranktide ranktide
)";

// ---- zsh ----

std::string zsh_text(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"}) text = replaced(text, special, std::string("\\") + special);
  return text;
}

std::string zsh_action(const OptionOutline& option) {
  return option.choices.empty() ? "_files" : "(" + joined(option.choices) + ")";
}

// '(-q --quiet)'{-q,--quiet}'[only results and errors]'      or      '--format=[...]:TEXT:(table csv)'
std::string zsh_option(const OptionOutline& option) {
  std::vector<std::string> names = option.names;
  if (!option.value.empty())
    for (std::string& name : names) name += name.starts_with("--") ? "=" : "+";
  const std::string once = option.is_repeated ? "*" : "(" + joined(option.names) + ")";
  const std::string value = option.value.empty() ? "" : ":" + option.value + ":" + zsh_action(option);
  const std::string text = "[" + zsh_text(option.text) + "]" + value;
  if (names.size() == 1) return "    " + quoted(once + names[0] + text) + " \\\n";
  return "    " + quoted(once) + "{" + joined(names, ",") + "}" + quoted(text) + " \\\n";
}

std::string zsh_positional(const OptionOutline& positional) {
  const std::string place = positional.is_repeated ? "*" : positional.is_required ? "" : ":";
  return "    " + quoted(place + ":" + zsh_text(positional.names[0]) + ":" + zsh_action(positional)) + " \\\n";
}

std::string zsh_function(const CommandOutline& command) {
  return "_" + replaced(command.path, " ", "_");
}

// What chooses among the commands below this one; the words after them are theirs.
std::string zsh_commands(const CommandOutline& command) {
  std::string descriptions, cases;
  for (const CommandOutline& below : command.commands) {
    descriptions += " " + quoted(below.name() + ":" + below.text);
    cases += fmt::format(" {}) {} ;;", below.name(), zsh_function(below));
  }
  return fmt::format(
      "  case $state in\n    command) commands=({} ); _describe command commands ;;\n    rest) case $line[1] "
      "in{} esac ;;\n"
      "  esac\n",
      descriptions, cases);
}

std::string zsh_body(const CommandOutline& command) {
  std::string out = zsh_function(command) +
                    "() {\n  local curcontext=$curcontext state\n  local -a line commands\n"
                    "  local -A opt_args\n  _arguments -C \\\n";
  for (const OptionOutline& option : command.options) out += zsh_option(option);
  if (command.commands.empty()) {
    for (const OptionOutline& positional : command.positionals) out += zsh_positional(positional);
    return out + "    && return\n}\n";
  }
  return out + "    '1: :->command' '*:: :->rest' && return\n" + zsh_commands(command) + "}\n";
}

constexpr const char* kZsh = R"(#compdef ranktide
# zsh completion of ranktide; to load it: source <(ranktide completion zsh), after compinit
{}if [ "$funcstack[1]" = _ranktide ]; then _ranktide "$@"; else compdef _ranktide ranktide; fi
)";

// ---- fish ----

std::string fish_quoted(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_line(const CommandOutline& command, const std::string& rest) {
  return fmt::format("complete -c ranktide -n {} {}\n", fish_quoted("__ranktide_at " + command.path), rest);
}

std::string fish_option(const OptionOutline& option) {
  std::string out;
  for (const std::string& name : option.names)
    out += name.starts_with("--") ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
  if (!option.choices.empty())
    out += "-x -a " + fish_quoted(joined(option.choices)) + " ";
  else if (!option.value.empty())
    out += "-r ";
  return out + "-d " + fish_quoted(option.text);
}

std::string fish_lines(const CommandOutline& command) {
  std::string out;
  for (const CommandOutline& below : command.commands)
    out += fish_line(command, "-f -a " + below.name() + " -d " + fish_quoted(below.text));
  if (const auto choices = choices_of_positionals(command); !choices.empty())
    out += fish_line(command, "-f -a " + fish_quoted(joined(choices)));
  for (const OptionOutline& option : command.options) out += fish_line(command, fish_option(option));
  return out;
}

constexpr const char* kFish = R"(# fish completion of ranktide; to load it: ranktide completion fish | source
function __ranktide_at --description 'whether the commands named so far are these'
    set -l path ranktide
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case {paths}
                set path "$path $word"
        end
    end
    test "$path" = "$argv"
end
{lines})";

}  // namespace

std::string bash_completion(const CommandOutline& root) {
  std::string values, words;
  for (const CommandOutline* command : all_commands(root)) {
    values += bash_values(*command);
    words += bash_words(*command);
  }
  return fmt::format(kBash, fmt::arg("paths", paths_below(root, "|")), fmt::arg("values", values),
                     fmt::arg("words", words));
}

std::string zsh_completion(const CommandOutline& root) {
  std::string functions;
  for (const CommandOutline* command : all_commands(root)) functions += zsh_body(*command);
  return fmt::format(kZsh, functions);
}

std::string fish_completion(const CommandOutline& root) {
  std::string lines;
  for (const CommandOutline* command : all_commands(root)) lines += fish_lines(*command);
  return fmt::format(kFish, fmt::arg("paths", paths_below(root, " ")), fmt::arg("lines", lines));
}

}  // namespace ranktide::cli
