// The sweep files that we hand out are read by the strict reader, so that none of them rots.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
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

std::string yaml_block_of_the_readme() {
  std::ifstream in(fs::path(RANKTIDE_SOURCE_DIR) / "README.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const size_t begin = text.find("```yaml\n") + 8;
  return text.substr(begin, text.find("\n```", begin) + 1 - begin);
}

TEST(Sweeps, TheReadmeShowsTheQuickstartAsItIs) {
  const fs::path folder = fs::path(RANKTIDE_SOURCE_DIR) / "sweeps";
  EXPECT_EQ(to_json(parse_sweep(yaml_block_of_the_readme(), "README.md", folder)).dump(1),
            to_json(read_sweep(folder / "quickstart.yaml")).dump(1));
}

}  // namespace
}  // namespace ranktide
