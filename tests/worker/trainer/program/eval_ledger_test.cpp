#include "worker/trainer/program/eval_ledger.h"

#include <gtest/gtest.h>

#include "common/vocabulary/wire.h"
#include "tests/worker/trainer/tiny_model.h"

namespace ranktide {
namespace {

EvalResult result(const std::string& id, double value) {
  return {.id = EvalId{id}, .metric = "loss", .value = value, .sign = -1, .stderr_ = 0.25, .n = 4};
}

TEST(EvalLedger, SaysAgainWhatItWasTold) {
  const ScratchFolder folder;
  EvalLedger(folder / "stage").remember(result("a", 1.5));
  const auto found = EvalLedger(folder / "stage").find(EvalId{"a"});
  ASSERT_TRUE(found);
  EXPECT_TRUE(equal(*found, result("a", 1.5)));
}

TEST(EvalLedger, KnowsNothingOfOtherEvals) {
  const ScratchFolder folder;
  const EvalLedger ledger(folder / "stage");
  EXPECT_FALSE(ledger.find(EvalId{"a"}));
  ledger.remember(result("a", 1.5));
  EXPECT_FALSE(ledger.find(EvalId{"b"}));
}

TEST(EvalLedger, KeepsNumbersThatJsonHasNot) {
  const ScratchFolder folder;
  EvalResult single = result("a", 1.5);
  single.stderr_ = std::numeric_limits<double>::quiet_NaN();
  EvalLedger(folder / "stage").remember(single);
  EXPECT_TRUE(equal(*EvalLedger(folder / "stage").find(EvalId{"a"}), single));
}

TEST(EvalLedger, IgnoresADamagedEntry) {
  const ScratchFolder folder;
  const EvalLedger ledger(folder / "stage");
  ledger.remember(result("a", 1.5));
  write_file(folder / "stage/a.json", "{\"id\": \"a");
  EXPECT_FALSE(ledger.find(EvalId{"a"}));
}

}  // namespace
}  // namespace ranktide
