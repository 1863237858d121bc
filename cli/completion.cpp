// `ranktide completion SHELL`: prints the script that teaches a shell this program's command line.

#include <iostream>

#include "cli/command.h"
#include "cli/completion_scripts.h"
#include "cli/exit_codes.h"

namespace ranktide::cli {
namespace {

int print_script(const CommandOutline& root, const std::string& shell) {
  if (shell == "bash")
    std::cout << bash_completion(root);
  else if (shell == "zsh")
    std::cout << zsh_completion(root);
  else
    std::cout << fish_completion(root);
  return kOk;
}

}  // namespace

std::function<int()> setup_completion(CLI::App& command, const GlobalOptions&) {
  const auto shell = std::make_shared<std::string>();
  command.add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  // The tree is outlined when the command runs: by then all commands are in it.
  return [&command, shell] { return print_script(outline_of(*command.get_parent()), *shell); };
}

}  // namespace ranktide::cli
