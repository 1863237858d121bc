#include "worker/trainer/program/work_folders.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <unistd.h>

namespace ranktide {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse(const fs::path& folder, const std::string& reason) {
  throw FolderError(folder.string() + ": cannot be written: " + reason +
                    "; make the folder writable for this user, or name another one with --work-dir");
}

void make(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) refuse(folder, error.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0) refuse(folder, std::strerror(errno));
}

}  // namespace

WorkFolders make_work_folders(const fs::path& work_dir) {
  const WorkFolders folders{.checkpoints = work_dir / "checkpoints",
                            .evals = work_dir / "evals",
                            .artifacts = work_dir / "artifacts",
                            .cache = work_dir / "cache"};
  for (const fs::path& folder : {folders.checkpoints, folders.evals, folders.artifacts, folders.cache})
    make(folder);
  return folders;
}

}  // namespace ranktide
