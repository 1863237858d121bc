#include "common/vocabulary/trainer_protocol.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

TrainerReport some_end() {
  return WorkEnded{.lease = {UnitId{"u"}, 2}, .outcome = {.kind = OutcomeKind::diverged, .step = 5}};
}

TEST(TrainerProtocol, TakesFramesOneByOneFromAStreamCutAnywhere) {
  const std::string stream = encode(TrainerReport{TrainerReady{.numerics = 1}}) + encode(some_end());
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    std::string buffer = stream.substr(0, cut);
    std::vector<TrainerReport> taken;
    while (auto report = take_report(buffer)) taken.push_back(*report);
    buffer += stream.substr(cut);
    while (auto report = take_report(buffer)) taken.push_back(*report);
    ASSERT_EQ(taken.size(), 2u) << cut;
    EXPECT_EQ(std::get<TrainerReady>(taken[0]).numerics, 1);
    EXPECT_EQ(std::get<WorkEnded>(taken[1]).outcome.step, 5);
    EXPECT_TRUE(buffer.empty());
  }
}

TEST(TrainerProtocol, CommandsComeBackAsTheyWereSent) {
  const RunWork run{.lease = {UnitId{"u"}, 1}, .work = {.kind = WorkKind::evaluate, .microbatch = 3}};
  std::string buffer = encode(TrainerCommand{run});
  EXPECT_TRUE(equal(std::get<RunWork>(*take_command(buffer)), run));
}

TEST(TrainerProtocol, EndsTheConversationOnAFrameOverItsLimit) {
  std::string buffer("\xff\xff\xff\x7f rest", 9);
  EXPECT_THROW(take_report(buffer), ProtocolError);
}

TEST(TrainerProtocol, RefusesAnUnknownType) {
  std::string buffer("\x03\x00\x00\x00\x92\x20\x80", 7);
  EXPECT_THROW(take_report(buffer), ProtocolError);
}

}  // namespace
}  // namespace ranktide
