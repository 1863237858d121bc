#include "common/content/hash_cache.h"

#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ranktide {
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

TEST_F(HashCacheTest, KnowsWhetherSomebodyHasWrittenMore) {
  const HashCache kept(folder_ / "cache");
  EXPECT_TRUE(kept.is_as_read()) << "nothing was there";
  ask();
  EXPECT_FALSE(kept.is_as_read());
  const HashCache later(folder_ / "cache");
  EXPECT_TRUE(later.is_as_read());
}

TEST_F(HashCacheTest, AMissingFileIsNeverRemembered) {
  fs::remove(file());
  EXPECT_EQ(ask(), "hash1");
  EXPECT_EQ(ask(), "hash2");
}

TEST_F(HashCacheTest, ProcessesThatShareItKeepEachOthersEntries) {
  const fs::path other = folder_ / "other";
  std::ofstream(other) << "two";
  {
    HashCache first(folder_ / "cache");
    HashCache second(folder_ / "cache");
    first.learn_sha256(file(), "of the first");
    second.learn_sha256(other, "of the second");
  }
  HashCache third(folder_ / "cache");
  EXPECT_EQ(third.sha256_of(file()), "of the first");
  EXPECT_EQ(third.sha256_of(other), "of the second");
}

TEST_F(HashCacheTest, ALearntHashIsNotComputedAgain) {
  { HashCache(folder_ / "cache").learn_sha256(file(), "told"); }
  EXPECT_EQ(HashCache(folder_ / "cache").sha256_of(file()), "told");
}

TEST_F(HashCacheTest, AFileIsFoundAgainByItsHashWhateverItIsCalled) {
  HashCache cache(folder_ / "cache");
  const std::string hash = cache.sha256_of(file());
  EXPECT_TRUE(cache.link_known(hash, folder_ / "by another name"));
  fs::remove(file());
  EXPECT_EQ(cache.sha256_of(folder_ / "by another name"), hash);
}

TEST_F(HashCacheTest, AHashIsKnownWhileTheFileLooksAsItDidAndNothingIsReadForIt) {
  HashCache cache(folder_ / "cache");
  EXPECT_EQ(cache.known_sha256(file()), std::nullopt);
  EXPECT_EQ(cache.known_file("told"), std::nullopt);
  cache.learn_sha256(file(), "told");
  EXPECT_EQ(cache.known_sha256(file()), "told");
  EXPECT_EQ(cache.known_file("told"), file());
  write("another text");
  EXPECT_EQ(cache.known_sha256(file()), std::nullopt);
  EXPECT_EQ(cache.known_file("told"), std::nullopt);
}

TEST_F(HashCacheTest, FoldersAreFoundByTheNameOfAFileThatWasHashed) {
  HashCache cache(folder_ / "cache");
  const fs::path further = folder_ / "a" / "file", other = folder_ / "a" / "my_file";
  fs::create_directories(further.parent_path());
  for (const fs::path& path : {further, other}) std::ofstream(path) << "text";
  for (const fs::path& path : {file(), further, other}) cache.sha256_of(path);
  EXPECT_EQ(cache.folders_with("file"), (std::vector<fs::path>{folder_ / "a", folder_}));
}

TEST_F(HashCacheTest, NamesThatAreNoUtf8AreToldApartAndKeptOutOfItsFile) {
  const fs::path latin1 = folder_ / "caf\xe9", another = folder_ / "caf\xe8";
  std::ofstream(latin1) << "two";
  std::ofstream(another) << "three";
  {
    HashCache cache(folder_ / "cache");
    const std::string hash = cache.sha256_of(latin1);
    EXPECT_EQ(cache.known_sha256(latin1), hash);
    EXPECT_NE(cache.sha256_of(another), hash);
    cache.learn_sha256(file(), "told");
  }
  const HashCache next(folder_ / "cache");
  EXPECT_EQ(next.known_sha256(latin1), std::nullopt);
  EXPECT_EQ(next.known_sha256(file()), "told");
}

TEST_F(HashCacheTest, AFileThatChangedSinceIsNotFoundByItsOldHash) {
  HashCache cache(folder_ / "cache");
  const std::string hash = cache.sha256_of(file());
  write("another text");
  EXPECT_FALSE(cache.link_known(hash, folder_ / "by another name"));
}

}  // namespace
}  // namespace ranktide
