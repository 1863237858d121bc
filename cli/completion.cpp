// `ranktide completion SHELL`: prints the script that teaches a shell this program's command line.

#include <iostream>

#include "cli/command.h"
#include "cli/completion_scripts.h"
#include "cli/exit_codes.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

std::string script_for(const std::string& shell, const CommandOutline& root) {
  if (shell == "bash") return bash_completion(root);
  if (shell == "zsh") return zsh_completion(root);
  return fish_completion(root);
}

int print_script(const CommandOutline& root, const std::string& shell, bool json) {
  const std::string script = script_for(shell, root);
  std::cout << (json ? Json{{"shell", shell}, {"script", script}}.dump(2) + "\n" : script);
  return kOk;
}

}  // namespace

std::function<int()> setup_completion(CLI::App& command, const GlobalOptions& globals) {
  const auto shell = std::make_shared<std::string>();
  command.add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  // The tree is outlined when the command runs: by then all commands are in it.
  return [&command, &globals, shell] {
    return print_script(outline_of(*command.get_parent()), *shell, globals.json);
  };
}

}  // namespace ranktide::cli
