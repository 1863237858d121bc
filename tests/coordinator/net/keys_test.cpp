#include "common/net/keys.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/net/worker_keys.h"
#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

std::string refusal_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const KeyError& error) {
    return error.what();
  }
  return "accepted";
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

TEST(Keys, AreMadeOnceAndKeptPrivately) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "data" / "keys";
  const KeyPair made = load_or_make_key_pair(folder, "coordinator");
  const KeyPair loaded = load_or_make_key_pair(folder, "coordinator");
  EXPECT_EQ(loaded.public_key, made.public_key);
  EXPECT_EQ(loaded.secret_key, made.secret_key);
  EXPECT_EQ(mode_of(folder), 0700U);
  EXPECT_EQ(mode_of(folder / "coordinator.secret"), 0600U);
}

TEST(Keys, ShowTheirPublicHalfBesideTheSecret) {
  const TemporaryFolder folder;
  const std::string made = load_or_make_key_pair(folder.path(), "coordinator").public_key;
  EXPECT_EQ(read_public_key((folder.path() / "coordinator.public").string()), made);
  std::filesystem::remove(folder.path() / "coordinator.secret");
  const std::string second = load_or_make_key_pair(folder.path(), "coordinator").public_key;
  EXPECT_NE(second, made);
  EXPECT_EQ(read_public_key((folder.path() / "coordinator.public").string()), second);
}

TEST(Keys, AKeyInUseIsNeverOverwritten) {
  const TemporaryFolder folder;
  (void)make_new_key_pair(folder.path(), "worker");
  EXPECT_THAT(refusal_of([&] { (void)make_new_key_pair(folder.path(), "worker"); }), HasSubstr("File exists"));
}

TEST(Keys, ReadAPublicKeyFromTextOrAFileAndRefuseAnythingElse) {
  const TemporaryFolder folder;
  const std::string key = make_key_pair().public_key;
  EXPECT_EQ(read_public_key(key), key);
  EXPECT_THAT(refusal_of([&] { (void)read_public_key("no such file"); }), HasSubstr("neither a public key"));
  std::ofstream(folder.path() / "short") << key.substr(1) << "\n";
  EXPECT_THAT(refusal_of([&] { (void)read_public_key((folder.path() / "short").string()); }),
              HasSubstr("its first line is no public key"));
}

TEST(Keys, NeverBeginLikeAnOption) {
  for (int i = 0; i < 200; ++i) EXPECT_NE(make_key_pair().public_key.front(), '-');
}

TEST(Keys, RefusesASecretThatOthersCanRead) {
  const TemporaryFolder folder;
  (void)load_or_make_key_pair(folder.path(), "worker");
  ::chmod((folder.path() / "worker.secret").c_str(), 0640);
  EXPECT_THAT(refusal_of([&] { (void)load_key_pair(folder.path(), "worker"); }), HasSubstr("run: chmod 600"));
}

TEST(Keys, RefusesAFolderThatOthersCanEnter) {
  const TemporaryFolder folder;
  (void)load_or_make_key_pair(folder.path(), "worker");
  ::chmod(folder.path().c_str(), 0755);
  EXPECT_THAT(refusal_of([&] { (void)load_key_pair(folder.path(), "worker"); }), HasSubstr("run: chmod 700"));
}

TEST(Keys, RefusesTheKeyPrintedInTheManual) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "worker.secret";
  std::ofstream(file) << "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\n";
  ::chmod(file.c_str(), 0600);
  EXPECT_THAT(refusal_of([&] { (void)load_key_pair(folder.path(), "worker"); }), HasSubstr("zmq_curve manual"));
}

TEST(Keys, RefusesATruncatedSecret) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "worker.secret";
  std::ofstream(file) << "abc\n";
  ::chmod(file.c_str(), 0600);
  EXPECT_THAT(refusal_of([&] { (void)load_key_pair(folder.path(), "worker"); }), HasSubstr("40 characters"));
}

class WorkerKeysTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "workers"; }
  TemporaryFolder folder_;
  const std::string key_ = make_key_pair().public_key;
};

TEST_F(WorkerKeysTest, AnAbsentTableKnowsNobody) {
  EXPECT_EQ(WorkerKeys(file()).standing(key_), KeyStanding::unknown);
}

TEST_F(WorkerKeysTest, SeeAKeyEnrolledWhileTheyAreOpen) {
  WorkerKeys keys(file());
  authorise_worker(file(), key_, WorkerName{"w1"});
  EXPECT_TRUE(keys.refresh());
  EXPECT_EQ(keys.name_of(key_), WorkerName{"w1"});
  EXPECT_FALSE(keys.refresh());
}

TEST_F(WorkerKeysTest, ARevokedKeyHasNoNameAndStaysRevoked) {
  authorise_worker(file(), key_, WorkerName{"w1"});
  revoke_worker_key(file(), key_);
  const WorkerKeys keys(file());
  EXPECT_EQ(keys.standing(key_), KeyStanding::revoked);
  EXPECT_FALSE(keys.name_of(key_));
  EXPECT_THAT(refusal_of([&] { authorise_worker(file(), key_, WorkerName{"w1"}); }), HasSubstr("was revoked"));
}

TEST_F(WorkerKeysTest, AKeyExpiresAtItsTimeUntilItIsAuthorisedAgain) {
  authorise_worker(file(), key_, WorkerName{"w1"}, 5'000);
  WorkerKeys keys(file());
  EXPECT_EQ(keys.standing(key_, 4'999), KeyStanding::active);
  EXPECT_EQ(keys.name_of(key_, 4'999), WorkerName{"w1"});
  EXPECT_TRUE(keys.revoked_names(4'999).empty());
  EXPECT_EQ(keys.standing(key_, 5'000), KeyStanding::expired);
  EXPECT_FALSE(keys.name_of(key_, 5'000));
  EXPECT_EQ(keys.revoked_names(5'000), std::set{WorkerName{"w1"}});
  authorise_worker(file(), key_, WorkerName{"w1"}, 9'000);
  EXPECT_TRUE(keys.refresh());
  EXPECT_EQ(keys.standing(key_, 5'000), KeyStanding::active);
  EXPECT_EQ(revoke_worker(file(), WorkerName{"w1"}), 1);
  EXPECT_EQ(WorkerKeys(file()).standing(key_, 5'000), KeyStanding::revoked) << "whatever its time";
}

TEST_F(WorkerKeysTest, AnExpiredKeyThatIsEnrolledAgainKeepsItsName) {
  authorise_worker(file(), key_, WorkerName{"node"}, 1);
  EXPECT_EQ(enrol_worker(file(), key_, WorkerName{"node"}), WorkerName{"node"});
  EXPECT_EQ(WorkerKeys(file()).standing(key_), KeyStanding::active);
}

TEST_F(WorkerKeysTest, ATimeThatIsNoneIsRefused) {
  for (const char* mark : {"until=", "until=soon", "until=-1", "5000", "revoked until=5"}) {
    std::ofstream(file()) << key_ << " w1 " << mark << "\n";
    EXPECT_THAT(refusal_of([&] { WorkerKeys{file()}; }), HasSubstr("[until=<ms since 1970>] [revoked]"))
        << mark;
  }
}

TEST_F(WorkerKeysTest, AMalformedLineIsNamedAndTheOldTableStays) {
  authorise_worker(file(), key_, WorkerName{"w1"});
  WorkerKeys keys(file());
  std::ofstream(file(), std::ios::app) << "# a comment\nnonsense here\n";
  EXPECT_THAT(refusal_of([&] { keys.refresh(); }), HasSubstr("line 3: expected <public key> <worker name>"));
  EXPECT_EQ(keys.name_of(key_), WorkerName{"w1"});
}

TEST_F(WorkerKeysTest, RefuseANameThatCouldBeAPath) {
  EXPECT_THAT(refusal_of([&] { authorise_worker(file(), key_, WorkerName{"../x"}); }),
              HasSubstr("not a worker name"));
}

TEST_F(WorkerKeysTest, RefuseTheNameThatMeansEveryWorker) {
  for (const auto& give : {+[](const std::filesystem::path&table, const std::string&key) {
                             authorise_worker(table, key, WorkerName{"all"});
                           },
                           +[](const std::filesystem::path&table, const std::string&key) {
                             (void)enrol_worker(table, key, WorkerName{"all"});
                           }})
    EXPECT_THAT(refusal_of([&] { give(file(), key_); }), HasSubstr("`worker drain all` means every worker"));
  EXPECT_EQ(fault_of_worker_name("all-2"), "");
}

TEST_F(WorkerKeysTest, AnOlderTableWithAWorkerOfThatNameIsRead) {
  std::ofstream(file()) << key_ << " all\n";
  EXPECT_EQ(WorkerKeys(file()).name_of(key_), WorkerName{"all"});
  EXPECT_EQ(revoke_worker(file(), WorkerName{"all"}), 1);
}

TEST_F(WorkerKeysTest, EnrolUnderTheFirstFreeName) {
  const std::string second = make_key_pair().public_key;
  EXPECT_EQ(enrol_worker(file(), key_, WorkerName{"node"}), WorkerName{"node"});
  EXPECT_EQ(enrol_worker(file(), second, WorkerName{"node"}), WorkerName{"node-2"});
  EXPECT_EQ(enrol_worker(file(), second, WorkerName{"node"}), WorkerName{"node-2"});
  EXPECT_EQ(WorkerKeys(file()).all().size(), 2U);
}

TEST_F(WorkerKeysTest, GiveTheNameOfARevokedKeyAwayAgain) {
  (void)enrol_worker(file(), key_, WorkerName{"node"});
  EXPECT_EQ(revoke_worker(file(), WorkerName{"node"}), 1);
  EXPECT_EQ(WorkerKeys(file()).revoked_names(), std::set{WorkerName{"node"}});
  EXPECT_EQ(enrol_worker(file(), make_key_pair().public_key, WorkerName{"node"}), WorkerName{"node"});
  EXPECT_TRUE(WorkerKeys(file()).revoked_names().empty());
}

TEST_F(WorkerKeysTest, ALongNameStaysANameWithItsNumber) {
  const WorkerName longest{std::string(64, 'n')};
  (void)enrol_worker(file(), key_, longest);
  const WorkerName second = enrol_worker(file(), make_key_pair().public_key, longest);
  EXPECT_TRUE(is_worker_name(second.text));
  EXPECT_TRUE(second.text.ends_with("n-2"));
}

TEST_F(WorkerKeysTest, AForgottenWorkersKeysAreUnknownAndNobodyElsesAre) {
  const std::string second = make_key_pair().public_key, other = make_key_pair().public_key;
  authorise_worker(file(), key_, WorkerName{"w1"});
  revoke_worker_key(file(), key_);
  authorise_worker(file(), second, WorkerName{"w1"});
  authorise_worker(file(), other, WorkerName{"w2"});
  EXPECT_EQ(forget_worker(file(), WorkerName{"w1"}), 2);
  EXPECT_EQ(forget_worker(file(), WorkerName{"w1"}), 0);
  const WorkerKeys keys(file());
  EXPECT_EQ(keys.standing(key_), KeyStanding::unknown);
  EXPECT_EQ(keys.standing(second), KeyStanding::unknown);
  EXPECT_EQ(keys.name_of(other), WorkerName{"w2"});
}

TEST_F(WorkerKeysTest, RevokingSomebodyUnknownNamesThoseThereAre) {
  authorise_worker(file(), key_, WorkerName{"w1"});
  EXPECT_THAT(refusal_of([&] { (void)revoke_worker(file(), WorkerName{"w9"}); }),
              HasSubstr("no worker named \"w9\"; there are: w1"));
}

}  // namespace
}  // namespace ranktide
