#include "coordinator/edge/zap.h"

#include <gtest/gtest.h>
#include <zmq.h>

#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

class Zap : public testing::Test {
 protected:
  Zap() { authorise_worker(file_, key_, WorkerName{"w1"}); }

  std::vector<std::string> request(const std::string& domain, const std::string& key) const {
    std::string bytes(32, '\0');
    zmq_z85_decode(reinterpret_cast<uint8_t*>(bytes.data()), key.c_str());
    return {"1.0", "7", domain, "127.0.0.1", "claimed", "CURVE", bytes};
  }
  std::vector<std::string> answer(const std::vector<std::string>& frames) const {
    return answer_zap(frames, WorkerKeys(file_)).frames;
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "workers";
  std::string key_ = make_key_pair().public_key;
};

TEST_F(Zap, GivesAConnectionItsKeyAsUserId) {
  EXPECT_EQ(answer(request("ranktide", key_)), (std::vector<std::string>{"1.0", "7", "200", "OK", key_, ""}));
}

TEST_F(Zap, TellsAnUnknownKeyToTryAgainAndARevokedOneToGiveUp) {
  EXPECT_EQ(answer(request("ranktide", make_key_pair().public_key)).at(2), "300");
  revoke_worker_key(file_, key_);
  EXPECT_EQ(answer(request("ranktide", key_)).at(2), "400");
}

TEST_F(Zap, TellsAnExpiredKeySoInWordsOfItsOwn) {
  authorise_worker(file_, key_, WorkerName{"w1"}, 1);
  EXPECT_EQ(answer(request("ranktide", key_)).at(2), "500");
  EXPECT_NE(answer_zap(request("ranktide", key_), WorkerKeys(file_)).refusal.find("expired key"),
            std::string::npos);
}

TEST_F(Zap, NamesARefusedKeyByItsFingerprint) {
  const std::string stranger = make_key_pair().public_key;
  const ZapAnswer refused = answer_zap(request("ranktide", stranger), WorkerKeys(file_));
  EXPECT_NE(refused.refusal.find("127.0.0.1 with the unknown key " + stranger), std::string::npos)
      << refused.refusal;
  EXPECT_NE(refused.refusal.find(fingerprint(stranger)), std::string::npos) << refused.refusal;
  EXPECT_EQ(answer_zap(request("ranktide", key_), WorkerKeys(file_)).refusal, "");
}

TEST_F(Zap, RefusesAnotherDomainAndAShortRequest) {
  EXPECT_EQ(answer(request("elsewhere", key_)).at(2), "500");
  EXPECT_EQ(answer({"1.0", "7"}).at(2), "500");
}

}  // namespace
}  // namespace ranktide
