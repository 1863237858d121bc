#include "common/net/invites.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/keys.h"
#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

constexpr int64_t kNow = 1'000'000;
constexpr int64_t kHour = 3'600'000;
constexpr int64_t kDay = 24 * kHour;

class Invites : public testing::Test {
 protected:
  std::string invite(int uses = 1, int64_t until = kNow + kHour) const {
    return add_invite(file_, uses, until, kNow);
  }
  InviteStanding use(const std::string& token, const std::string& key, int64_t now = kNow) const {
    return use_invite(file_, token, key, now);
  }
  static std::string some_key() { return make_key_pair().public_key; }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "keys" / "invites";
};

TEST_F(Invites, LetOneKeyInAndNoSecond) {
  const std::string token = invite();
  EXPECT_EQ(use(token, some_key()), InviteStanding::accepted);
  EXPECT_EQ(use(token, some_key()), InviteStanding::used_up);
}

TEST_F(Invites, LetTheSameKeyInAgainBecauseItsAnswerMayHaveBeenLost) {
  const std::string token = invite();
  const std::string key = some_key();
  EXPECT_EQ(use(token, key), InviteStanding::accepted);
  EXPECT_EQ(use(token, key, kNow + 2 * kHour), InviteStanding::accepted);
}

TEST_F(Invites, CountTheirUses) {
  const std::string token = invite(3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use(token, some_key()), InviteStanding::accepted);
  EXPECT_EQ(use(token, some_key()), InviteStanding::used_up);
}

TEST_F(Invites, RunOut) {
  const std::string token = invite();
  EXPECT_EQ(use(token, some_key(), kNow + kHour - 1), InviteStanding::accepted);
  EXPECT_EQ(use(invite(), some_key(), kNow + kHour), InviteStanding::expired);
}

TEST_F(Invites, KnowNoTokenThatWasNotGivenOut) {
  std::string token = invite();
  token.back() = token.back() == '0' ? '1' : '0';
  EXPECT_EQ(use(token, some_key()), InviteStanding::unknown);
  EXPECT_EQ(use("", some_key()), InviteStanding::unknown);
}

TEST_F(Invites, AreKeptAsHashesInAFileOfTheirOwnersOnly) {
  const std::string token = invite();
  std::ifstream in(file_);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text.find(token), std::string::npos);
  struct stat info {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(Invites, AreRefusedWhereOthersCanReadThem) {
  const std::string token = invite();
  ::chmod(file_.c_str(), 0644);
  try {
    (void)use(token, some_key());
    FAIL() << "used a file that is open to others";
  } catch (const KeyError& error) {
    EXPECT_THAT(error.what(), HasSubstr("run: chmod 600"));
  }
}

TEST_F(Invites, AreForgottenADayAfterTheyRanOut) {
  const std::string token = invite();
  (void)add_invite(file_, 1, kNow + kHour + kDay + 2, kNow + kHour + kDay + 1);
  EXPECT_EQ(use(token, some_key()), InviteStanding::unknown);
}

TEST_F(Invites, OfOneUseAreUsedOnceByManyProcessesAtOnce) {
  const std::string token = invite();
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const std::string key = some_key();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(use(token, key) == InviteStanding::accepted ? 0 : 1);
    children.push_back(child);
  }
  int accepted = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status == 0) ++accepted;
  }
  EXPECT_EQ(accepted, 1);
}

// Killed at any moment: whatever stands on the disk then, no second key gets in.
TEST_F(Invites, OfOneUseAreUsedOnceWhateverIsKilled) {
  for (int round = 0; round < 20; ++round) {
    const std::string token = invite();
    const std::string first = some_key();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(use(token, first) == InviteStanding::accepted ? 0 : 1);
    ::usleep(static_cast<useconds_t>(round * 100));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    int accepted = 0;
    for (const std::string& key : {some_key(), some_key()})
      if (use(token, key) == InviteStanding::accepted) ++accepted;
    const bool first_was_let_in = status == 0;
    EXPECT_LE(accepted + (first_was_let_in ? 1 : 0), 1);
    EXPECT_EQ(use(token, first) == InviteStanding::accepted, accepted == 0);
  }
}

}  // namespace
}  // namespace ranktide
