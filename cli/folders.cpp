#include "cli/folders.h"

#include <cstdlib>

#include "cli/command.h"
#include "cli/exit_codes.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

fs::path data_folder(const std::string& flag) {
  if (!flag.empty()) return fs::absolute(flag);
  if (const char* dir = std::getenv("RANKTIDE_DATA_DIR"); dir && *dir) return fs::absolute(dir);
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg && *xdg) return fs::path(xdg) / "ranktide";
  if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".local/share/ranktide";
  throw CommandError(kUsage, "no data folder: HOME is not set; give one with --data-dir DIR");
}

fs::path own_program() {
  return fs::read_symlink("/proc/self/exe");
}

fs::path trainer_program() {
  const fs::path beside = own_program().parent_path() / "ranktide-trainer";
  if (fs::exists(beside)) return beside;
  throw CommandError(kFailed, beside.string() + " is missing; build it with ./bootstrap build");
}

}  // namespace ranktide::cli
