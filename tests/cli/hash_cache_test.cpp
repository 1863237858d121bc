#include "cli/hash_cache.h"

#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;

class HashCacheTest : public testing::Test {
 protected:
  HashCacheTest() : folder_(fs::temp_directory_path() / ("hash_cache_test." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    write("one");
  }
  ~HashCacheTest() override { fs::remove_all(folder_); }

  void write(const std::string& text) { std::ofstream(file()) << text; }
  fs::path file() const { return folder_ / "file"; }
  std::string ask() {
    return HashCache(folder_ / "cache").remembered("k", {file()}, [this] {
      return "hash" + std::to_string(++computed_);
    });
  }

  fs::path folder_;
  int computed_ = 0;
};

TEST_F(HashCacheTest, ComputesOnceWhileTheFileStaysTheSame) {
  EXPECT_EQ(ask(), "hash1");
  EXPECT_EQ(ask(), "hash1");
}

TEST_F(HashCacheTest, ComputesAgainWhenTheFileChanged) {
  ask();
  write("another text");
  EXPECT_EQ(ask(), "hash2");
}

TEST_F(HashCacheTest, ATornCacheCostsTimeOnly) {
  ask();
  std::ofstream(folder_ / "cache/hashes.json") << "{\"k\": {\"sta";
  EXPECT_EQ(ask(), "hash2");
}

TEST_F(HashCacheTest, AMissingFileIsNeverRemembered) {
  fs::remove(file());
  EXPECT_EQ(ask(), "hash1");
  EXPECT_EQ(ask(), "hash2");
}

}  // namespace
}  // namespace ranktide::cli
