// Which files a store must keep for sweeps.
#include <gtest/gtest.h>

#include "coordinator/edge/query_inputs.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

class InputsInUse : public testing::Test {
 protected:
  InputsInUse() : history_(folder_.path()) { history_.begin(); }

  // A revision of sweep 1 that names a file with this hash.
  void submit(int revision, const std::string& sha256) {
    SweepSpec spec;
    spec.name = "quick";
    spec.inputs.contents = {{"/data/train.jsonl", {.sha256 = sha256, .bytes = 3}}};
    history_.record(SweepSubmitted{.sweep = 1,
                                   .revision = revision,
                                   .request_id = "r" + std::to_string(revision),
                                   .spec_sha256 = sha256,
                                   .spec = spec});
  }
  void listed(int revision) { history_.record(SweepListed{.sweep = 1, .revision = revision}); }
  std::set<std::string> in_use() { return contents_in_use(history_.reader()); }

  TemporaryFolder folder_;
  History history_;
};

TEST_F(InputsInUse, AreThoseOfTheNewestRevisionOfAnUnfinishedSweep) {
  EXPECT_TRUE(in_use().empty());
  submit(1, "one");
  EXPECT_EQ(in_use(), std::set<std::string>{"one"});
  submit(2, "two");
  EXPECT_EQ(in_use(), std::set<std::string>{"two"});
}

TEST_F(InputsInUse, ASweepThatIsOverNeedsNone) {
  submit(1, "one");
  listed(1);
  EXPECT_TRUE(in_use().empty()) << "no trials: finished";
  submit(2, "two");
  EXPECT_EQ(in_use(), std::set<std::string>{"two"}) << "another revision opens it again";
}

}  // namespace
}  // namespace ranktide
