#include "coordinator/edge/blob_store.h"

#include <chrono>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <set>

#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

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

TEST_F(BlobStoreTest, LeavesTheDiskWhatTheJournalNeeds) {
  BlobStore store(folder(), {.disk_free_min = 1});
  EXPECT_NE(fault_of([&] { send(store, "abc"); }).find("MiB left, too little for this file"),
            std::string::npos);
  EXPECT_TRUE(fs::is_empty(folder())) << "nothing was begun";
}

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

TEST_F(BlobStoreTest, ARefusedFileIsNoneThatArrives) {
  BlobStore store(folder(), {.total_bytes = 10, .file_bytes = 20});
  for (int i = 0; i < 1'001; ++i) {
    const std::string sha256 = sha256_hex(std::to_string(i));
    EXPECT_NE(fault_of([&] { store.append(sha256, 21, 0, "1"); }).find("is more than"), std::string::npos);
    EXPECT_NE(fault_of([&] { store.append(sha256, 15, 0, "1"); }).find("is full"), std::string::npos);
    EXPECT_NE(fault_of([&] { store.append(sha256, 1, 0, "12"); }).find("more bytes than"), std::string::npos);
  }
  EXPECT_TRUE(send(store, "0123456789").is_complete);
}

// A store of ten bytes in which files are as old as a test says.
class FullStoreTest : public BlobStoreTest {
 protected:
  void age(const std::string& name, std::chrono::minutes old) {
    fs::last_write_time(folder() / name, fs::file_time_type::clock::now() - old);
  }
  void put(const std::string& text, std::chrono::minutes old) {
    send(store_, text);
    age(sha256_hex(text), old);
  }
  bool has(const std::string& text) const { return fs::exists(folder() / sha256_hex(text)); }
  bool is_full_for(const std::string& text) {
    return fault_of([&] { send(store_, text); }).find("is full") != std::string::npos;
  }

  std::set<std::string> named_;
  BlobStore store_{folder(), {.total_bytes = 10}, [this] { return named_; }};
};

TEST_F(FullStoreTest, TheLeastRecentlyUsedFilesGoUntilThereIsRoom) {
  put("aaaa", 90min);
  put("bbb", 200min);
  put("ccc", 100min);
  EXPECT_TRUE(send(store_, "12345").is_complete);
  EXPECT_FALSE(has("bbb"));
  EXPECT_FALSE(has("ccc"));
  EXPECT_TRUE(has("aaaa")) << "there was room enough without it";
  EXPECT_TRUE(send(store_, "6").is_complete) << "what went is room";
}

TEST_F(FullStoreTest, WhatAnUnfinishedSweepNamesStays) {
  put("aaaaaaaa", 200min);
  named_ = {sha256_hex("aaaaaaaa")};
  EXPECT_TRUE(is_full_for("123"));
  named_.clear();
  EXPECT_TRUE(send(store_, "123").is_complete);
  EXPECT_FALSE(has("aaaaaaaa"));
}

TEST_F(FullStoreTest, WhatWasAskedForOrReadWithinTheHourStays) {
  put("aaaa", 200min);
  put("bbbb", 200min);
  store_.standing(sha256_hex("aaaa"));
  store_.read(sha256_hex("bbbb"), 0, 1);
  EXPECT_TRUE(is_full_for("123"));
  age(sha256_hex("aaaa"), 61min);
  EXPECT_TRUE(send(store_, "123").is_complete);
  EXPECT_TRUE(has("bbbb"));
}

TEST_F(FullStoreTest, NothingGoesWhereThatWouldNotDo) {
  put("aaa", 200min);
  put("bbbbbb", 1min);
  EXPECT_TRUE(is_full_for("12345"));
  EXPECT_TRUE(has("aaa"));
}

TEST_F(FullStoreTest, WhatWasBegunAWeekAgoGoesFirst) {
  put("aaaa", 200min);
  store_.append(sha256_hex("begun"), 5, 0, "begu");
  EXPECT_TRUE(send(store_, "1").is_complete);
  age(sha256_hex("begun") + ".part", 24h * 8);
  EXPECT_TRUE(send(store_, "12345").is_complete);
  EXPECT_TRUE(has("aaaa"));
  EXPECT_EQ(store_.standing(sha256_hex("begun")).here, 0);
}

TEST_F(FullStoreTest, WithoutAnyoneToAskNothingIsEvicted) {
  put("aaaaaaaa", 200min);
  BlobStore store(folder(), {.total_bytes = 10});
  EXPECT_NE(fault_of([&] { send(store, "123"); }), "");
  EXPECT_TRUE(has("aaaaaaaa"));
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
