#include "tests/deploy/tools.h"

#include "tests/temporary_folder.h"

namespace ranktide::deploy {

std::string source(const std::string& path) {
  return std::string(RANKTIDE_SOURCE_DIR) + "/" + path;
}

bool has(const std::string& program) {
  return shell("command -v " + program).exit_code == 0;
}

std::string python_tool(const std::string& name) {
  return source(".env/bin/" + name);
}

e2e::Ended shell(const std::string& line) {
  const TemporaryFolder output;
  return e2e::run({"/bin/sh", "-c", "cd " + source("") + " && " + line}, output.path());
}

}  // namespace ranktide::deploy
