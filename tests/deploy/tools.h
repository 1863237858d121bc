#pragma once
// Runs the tools that read deployment files, which not every machine has. One thread.

#include <string>

#include "tests/e2e/program.h"

namespace ranktide::deploy {

// Returns: a path in the source tree.
std::string source(const std::string& path);

// Returns: whether the shell finds `program`, in PATH or as a path.
bool has(const std::string& program);

// Returns: the path of a program among the Python packages that tests use; they may not be installed.
std::string python_tool(const std::string& name);

// Runs a line of sh in the source tree.
e2e::Ended shell(const std::string& line);

}  // namespace ranktide::deploy
