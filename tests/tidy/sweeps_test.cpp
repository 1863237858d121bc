// The sweep files that we hand out are read by the strict reader, so that none of them rots.

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "common/sweep/sweep_yaml.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sweep_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(RANKTIDE_SOURCE_DIR) / "sweeps")) {
    if (entry.path().extension() == ".yaml") {
      files.push_back(entry.path());
    }
  }
  return files;
}

TEST(Sweeps, IncludeTheQuickstart) {
  EXPECT_TRUE(fs::is_regular_file(fs::path(RANKTIDE_SOURCE_DIR) / "sweeps" / "quickstart.yaml"));
}

TEST(Sweeps, EveryFileIsReadWithoutComplaint) {
  for (const fs::path& file : sweep_files()) {
    EXPECT_NO_THROW(read_sweep(file)) << file;
  }
}

}  // namespace
}  // namespace ranktide
