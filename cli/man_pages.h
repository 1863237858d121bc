#pragma once
// Manual pages in man(7) form, made from the command outline: one for the program and one for every command.
// Any thread.

#include <string>
#include <vector>

#include "cli/command_outline.h"

namespace ranktide::cli {

struct ManPage {
  std::string file;  // ranktide-worker-drain.1
  std::string text;
};

std::vector<ManPage> man_pages(const CommandOutline& root);

}  // namespace ranktide::cli
