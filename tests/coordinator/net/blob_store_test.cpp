#include "coordinator/edge/blob_store.h"

#include <fstream>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

class BlobStoreTest : public testing::Test {
 protected:
  fs::path folder() const { return folder_.path() / "blobs"; }
  // Returns: how the store stands after the whole text was sent in pieces.
  static BlobStore::Standing send(BlobStore& store, const std::string& text, size_t piece = 4) {
    const std::string sha256 = sha256_hex(text);
    BlobStore::Standing now = store.standing(sha256);
    while (!now.is_complete) {
      const auto from = static_cast<size_t>(now.here);
      now = store.append(sha256, static_cast<int64_t>(text.size()), now.here,
                         std::string_view(text).substr(from, piece));
    }
    return now;
  }
  static std::string fault_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const BlobError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(BlobStoreTest, HandsOutWhatArrivedWhole) {
  BlobStore store(folder());
  EXPECT_FALSE(store.read(sha256_hex("0123456789"), 0, 100));
  EXPECT_EQ(send(store, "0123456789").here, 10);
  EXPECT_EQ(store.read(sha256_hex("0123456789"), 7, 100)->bytes, "789");
  EXPECT_EQ(store.read(sha256_hex("0123456789"), 2, 3)->bytes, "234");
  EXPECT_EQ(store.read(sha256_hex("0123456789"), 99, 3)->bytes, "");
}

TEST_F(BlobStoreTest, HandsOutNothingThatIsUnfinished) {
  BlobStore store(folder());
  store.append(sha256_hex("0123456789"), 10, 0, "0123");
  EXPECT_FALSE(store.read(sha256_hex("0123456789"), 0, 4));
}

TEST_F(BlobStoreTest, GoesOnAfterARestart) {
  const std::string sha256 = sha256_hex("0123456789");
  BlobStore(folder()).append(sha256, 10, 0, "0123");
  BlobStore store(folder());
  EXPECT_EQ(store.standing(sha256).here, 4);
  EXPECT_TRUE(store.append(sha256, 10, 4, "456789").is_complete);
  EXPECT_EQ(store.read(sha256, 0, 100)->bytes, "0123456789");
}

TEST_F(BlobStoreTest, TakesNoPieceThatDoesNotBeginAtTheEnd) {
  BlobStore store(folder());
  const std::string sha256 = sha256_hex("0123456789");
  store.append(sha256, 10, 0, "0123");
  EXPECT_EQ(store.append(sha256, 10, 0, "0123").here, 4) << "a repeat";
  EXPECT_EQ(store.append(sha256, 10, 8, "89").here, 4) << "a gap";
}

TEST_F(BlobStoreTest, RefusesAFileThatIsNotWhatItSays) {
  BlobStore store(folder());
  const std::string sha256 = sha256_hex("what was promised");
  EXPECT_NE(fault_of([&] { store.append(sha256, 5, 0, "other"); }), "");
  EXPECT_EQ(store.standing(sha256).here, 0);
  EXPECT_TRUE(fs::is_empty(folder()));
}

TEST_F(BlobStoreTest, RefusesAFileThatIsTooLargeBeforeItIsSent) {
  BlobStore store(folder(), {.file_bytes = 5});
  EXPECT_NE(
      fault_of([&] { store.append(sha256_hex("123456"), 6, 0, "1"); }).find("file system that the workers"),
      std::string::npos);
}

TEST_F(BlobStoreTest, RefusesANewFileWhenItIsFull) {
  { BlobStore(folder()).append(sha256_hex("12345678"), 8, 0, "12345678"); }
  BlobStore store(folder(), {.total_bytes = 10});
  EXPECT_NE(fault_of([&] { store.append(sha256_hex("abc"), 3, 0, "abc"); }).find("is full"), std::string::npos);
  EXPECT_TRUE(store.append(sha256_hex("ab"), 2, 0, "ab").is_complete);
}

TEST_F(BlobStoreTest, KnowsHashesAndNothingElse) {
  BlobStore store(folder());
  std::ofstream(folder_.path() / "secret") << "secret";
  for (const char* name : {"../secret", "", "secret", "/etc/passwd"}) {
    EXPECT_NE(fault_of([&] { store.read(name, 0, 100); }), "") << name;
    EXPECT_NE(fault_of([&] { store.append(name, 1, 0, "x"); }), "") << name;
  }
}

TEST_F(BlobStoreTest, TakesAnEmptyFile) {
  BlobStore store(folder());
  EXPECT_TRUE(store.append(sha256_hex(""), 0, 0, "").is_complete);
  EXPECT_EQ(store.read(sha256_hex(""), 0, 100)->total, 0);
}

}  // namespace
}  // namespace ranktide
