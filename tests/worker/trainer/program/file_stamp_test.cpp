#include "worker/trainer/program/file_stamp.h"

#include <gtest/gtest.h>

#include "tests/worker/trainer/tiny_model.h"

namespace ranktide {
namespace {

TEST(FileStamp, IsTheSameWhileNothingChanges) {
  const ScratchFolder folder;
  write_file(folder / "a", "one");
  EXPECT_EQ(file_stamp(folder.path()), file_stamp(folder.path()));
  EXPECT_EQ(file_stamp(folder / "a"), file_stamp(folder / "a"));
}

TEST(FileStamp, FollowsContentTimeAndNames) {
  const ScratchFolder folder;
  write_file(folder / "a", "one");
  const std::string before = file_stamp(folder.path());
  write_file(folder / "a", "longer");
  const std::string longer = file_stamp(folder.path());
  EXPECT_NE(before, longer);
  std::filesystem::last_write_time(folder / "a", std::filesystem::file_time_type{std::chrono::seconds{1}});
  const std::string older = file_stamp(folder.path());
  EXPECT_NE(older, longer);
  std::filesystem::rename(folder / "a", folder / "b");
  EXPECT_NE(file_stamp(folder.path()), older);
}

TEST(FileStamp, OfWhatIsAbsentSaysSo) {
  const ScratchFolder folder;
  const std::string absent = file_stamp(folder / "a");
  write_file(folder / "a", "one");
  EXPECT_NE(file_stamp(folder / "a"), absent);
}

}  // namespace
}  // namespace ranktide
