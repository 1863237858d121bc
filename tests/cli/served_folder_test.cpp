// A data folder that a coordinator holds is asked, never read.

#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include "cli/exit_codes.h"
#include "cli/request.h"
#include "coordinator/edge/store_folder.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;

TEST(ServedFolder, IsNotReadBehindTheBackOfWhoHoldsItAndDoesNotAnswer) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "coordinator.http") << "127.0.0.1:1\n";
  EXPECT_EQ(body_of_folder(folder.path(), "/api/v1/sweeps"), std::nullopt) << "left by one that was killed";
  {
    const FolderLock held(folder.path());
    try {
      (void)body_of_folder(folder.path(), "/api/v1/sweeps", 0ms);
      ADD_FAILURE() << "it was read";
    } catch (const CommandError& error) {
      EXPECT_EQ(error.code, kUnreachable);
      EXPECT_THAT(error.what(), testing::HasSubstr("process " + std::to_string(::getpid()) + " serves"));
    }
  }
  EXPECT_EQ(body_of_folder(folder.path(), "/api/v1/sweeps"), std::nullopt);
}

TEST(ServedFolder, ALookAtItsLockIsNotInTheWayOfACoordinator) {
  const TemporaryFolder folder;
  EXPECT_EQ(FolderLock::holder(folder.path()), std::nullopt) << "no lock file yet";
  { const FolderLock first(folder.path()); }
  const int looks = ::open((folder.path() / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(looks, LOCK_SH | LOCK_NB), 0);
  const std::jthread done([looks] {
    std::this_thread::sleep_for(30ms);
    ::close(looks);
  });
  EXPECT_NO_THROW(FolderLock{folder.path()});
}

TEST(ServedFolder, HasOneHolderWhoIsNamed) {
  const TemporaryFolder folder;
  const FolderLock first(folder.path());
  EXPECT_EQ(FolderLock::holder(folder.path()), "process " + std::to_string(::getpid()));
  EXPECT_THROW(FolderLock{folder.path()}, FolderError);
}

}  // namespace
}  // namespace ranktide::cli
