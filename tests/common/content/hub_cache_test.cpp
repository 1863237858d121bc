#include "common/content/hub_cache.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>

#include "common/content/manifest.h"
#include "common/vocabulary/hub_name.h"
#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

// A cache as huggingface_hub writes it.
class HubCache : public testing::Test {
 protected:
  HubCache() { ::setenv("HF_HUB_CACHE", cache().c_str(), 1); }
  ~HubCache() override { ::unsetenv("HF_HUB_CACHE"); }

  fs::path cache() const { return folder_.path() / "hub"; }
  fs::path snapshot(const std::string& commit) const {
    return cache() / "models--org--tiny/snapshots" / commit;
  }
  void downloaded(const std::string& commit, const std::string& ref) {
    fs::create_directories(snapshot(commit));
    fs::create_directories(cache() / "models--org--tiny/refs");
    std::ofstream(cache() / "models--org--tiny/refs" / ref) << commit;
  }

  TemporaryFolder folder_;
};

TEST(HubName, HasAnOwnerANameAndARevision) {
  EXPECT_EQ(to_text(*hub_name_of("hub: org/tiny@v1.0")), "hub:org/tiny@v1.0");
  EXPECT_EQ(to_text(*hub_name_of("hub:gpt2")), "hub:gpt2@main");
}

TEST(HubName, IsRefusedWhereItWouldLeadOutOfTheCache) {
  for (const char* text :
       {"hub:", "hub:../x", "hub:a/b/c", "hub:a/..", "hub:a/b@../../x", "hub:/a", "hub:a/b@", "x"})
    EXPECT_FALSE(hub_name_of(text)) << text;
}

TEST_F(HubCache, ResolvesABranchAndACommit) {
  downloaded("0123abc", "main");
  EXPECT_EQ(model_folder("hub:org/tiny"), snapshot("0123abc"));
  EXPECT_EQ(model_folder("hub:org/tiny@0123abc"), snapshot("0123abc"));
  EXPECT_EQ(model_folder("/some/folder"), "/some/folder");
}

TEST_F(HubCache, SaysTheCommandThatDownloadsWhatIsMissing) {
  try {
    model_folder("hub:org/tiny@v2");
    FAIL() << "nothing was refused";
  } catch (const ContentError& error) {
    EXPECT_NE(std::string(error.what()).find("huggingface-cli download org/tiny --revision v2"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(HubCache, OffersTheWantedSnapshotFirstAndTheOthersToo) {
  downloaded("aaa", "old");
  downloaded("bbb", "main");
  EXPECT_EQ(snapshots_of(cache(), *hub_name_of("hub:org/tiny")),
            (std::vector{snapshot("bbb"), snapshot("aaa")}));
}

TEST_F(HubCache, KnowsTheSnapshotsOfOtherMachinesByTheirPaths) {
  const auto name =
      hub_name_of_snapshot("/elsewhere/.cache/huggingface/hub/models--org--tiny/snapshots/0123abc");
  ASSERT_TRUE(name);
  EXPECT_EQ(to_text(*name), "hub:org/tiny@0123abc");
  EXPECT_FALSE(hub_name_of_snapshot("/elsewhere/models/tiny"));
}

}  // namespace
}  // namespace ranktide
