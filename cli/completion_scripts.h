#pragma once
// Completion scripts for shells, made from the command outline. A script is static: completing starts no
// process and asks no coordinator. Any thread.

#include <string>

#include "cli/command_outline.h"

namespace ranktide::cli {

// Returns: a script that teaches the shell all commands and options, and the values of options that are limited
// to some. Any other value is completed as a file name.
std::string bash_completion(const CommandOutline& root);
std::string zsh_completion(const CommandOutline& root);
std::string fish_completion(const CommandOutline& root);

}  // namespace ranktide::cli
