#include "worker/daemon/spool.h"

#include <fstream>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

using Entries = std::map<int64_t, std::string>;

class SpoolTest : public testing::Test {
 protected:
  // What another life finds.
  Entries reopened() const {
    Entries loaded;
    const SpoolFile file(path_, loaded);
    return loaded;
  }
  void write(const Entries& entries) const {
    Entries loaded;
    SpoolFile file(path_, loaded);
    for (const auto& [seq, payload] : entries) file.append(seq, payload);
    file.sync();
  }
  void flip_byte(int64_t at) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char c = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(c);
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "one.spool";
};

TEST_F(SpoolTest, GivesBackWhatWasAppended) {
  write({{1, "a"}, {2, ""}, {3, std::string(100'000, 'c')}});
  EXPECT_EQ(reopened(), (Entries{{1, "a"}, {2, ""}, {3, std::string(100'000, 'c')}}));
}

TEST_F(SpoolTest, CutsATornTailWhereverItIsTorn) {
  write({{1, "first"}, {2, "second"}});
  const auto whole = static_cast<int64_t>(std::filesystem::file_size(path_));
  for (int64_t size = whole - 1; size >= whole - 21; --size) {
    std::filesystem::resize_file(path_, static_cast<uintmax_t>(size));
    EXPECT_EQ(reopened(), (Entries{{1, "first"}})) << size;
    std::filesystem::remove(path_);
    write({{1, "first"}, {2, "second"}});
  }
}

TEST_F(SpoolTest, GoesOnAppendingAfterACutTail) {
  write({{1, "first"}, {2, "second"}});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  write({{2, "again"}});
  EXPECT_EQ(reopened(), (Entries{{1, "first"}, {2, "again"}}));
}

TEST_F(SpoolTest, EndsAtAnEntryWhoseChecksumIsWrong) {
  write({{1, "first"}, {2, "second"}, {3, "third"}});
  const auto whole = static_cast<int64_t>(std::filesystem::file_size(path_));
  flip_byte(whole - 21 - 3);  // inside the second entry's payload
  EXPECT_EQ(reopened(), (Entries{{1, "first"}}));
}

TEST_F(SpoolTest, GivesItsSpaceBackWhenEverythingIsDropped) {
  Entries loaded;
  SpoolFile file(path_, loaded);
  file.append(1, "a");
  file.append(2, "b");
  file.drop(2);
  EXPECT_EQ(file.bytes(), 0);
  file.append(3, "c");
  EXPECT_EQ(reopened(), (Entries{{3, "c"}}));
}

TEST_F(SpoolTest, RewritesAFileThatIsMostlyDropped) {
  Entries loaded;
  SpoolFile file(path_, loaded);
  const std::string mebibyte(1 << 20, 'x');
  for (int64_t seq = 1; seq <= 6; ++seq) file.append(seq, mebibyte);
  file.drop(5);
  EXPECT_LT(file.bytes(), 2 << 20);
  file.append(7, "last");
  EXPECT_EQ(reopened(), (Entries{{6, mebibyte}, {7, "last"}}));
}

TEST_F(SpoolTest, LoadsEachAttemptOfAFolderAndForgetsOnRequest) {
  const Lease first{.unit = UnitId{std::string(64, 'a')}, .attempt = 1};
  const Lease second{.unit = UnitId{std::string(64, 'a')}, .attempt = 12};
  {
    Spool spool(folder_.path());
    spool.apply({SpoolAppend{first, 1, "one", true}, SpoolAppend{second, 1, "two", false}});
  }
  Spool spool(folder_.path());
  const std::vector<SpooledAttempt> left = spool.load();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].lease, first);
  EXPECT_EQ(left[0].entries, (Entries{{1, "one"}}));
  EXPECT_EQ(left[1].lease, second);
  spool.apply({SpoolForget{first}, SpoolDrop{second, 1}});
  EXPECT_EQ(Spool(folder_.path()).load().size(), 1U);
}

TEST_F(SpoolTest, AnAttemptGoesOnWhenItsFileCannotBeWritten) {
  const auto gone = folder_.path() / "spool";
  Spool spool(gone);
  std::filesystem::remove(gone);
  const Lease lease{.unit = UnitId{std::string(64, 'a')}, .attempt = 1};
  spool.apply({SpoolAppend{lease, 1, "one", true}});
  spool.apply({SpoolAppend{lease, 2, "two", true}, SpoolDrop{lease, 1}, SpoolForget{lease}});
  EXPECT_FALSE(std::filesystem::exists(gone));
}

}  // namespace
}  // namespace ranktide
