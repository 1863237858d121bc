// From a sweep whose files lie elsewhere to trials that train on them: a coordinator, a worker, its trainer and
// the process that looks for inputs.

#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"
#include "tests/worker/daemon/input_world.h"
#include "tests/worker/daemon/service_world.h"
#include "worker/daemon/kept_artifacts.h"

namespace ranktide {
namespace {

constexpr const char* kData = "/sweeps/words.jsonl";  // as sweep_for_tests names it; no such file is here

class ServicesWithInputs : public testing::Test, protected ServiceWorld {
 protected:
  ServicesWithInputs() {
    inputs_program = RANKTIDE_FIND_INPUTS;
    start_coordinator();
  }
  static SweepSpec sweep_on(const std::string& text, const std::string& run = "") {
    SweepSpec spec = sweep_of({.seeds = {1}, .run = run});
    spec.inputs.contents[kData] = {sha256_hex(text), static_cast<int64_t>(text.size())};
    return spec;
  }
  std::string log_of_the_trial() const {
    return text_of_file(work() / "logs" / select("SELECT stage FROM v_trial").at(0) / "1.log");
  }
};

TEST_F(ServicesWithInputs, ATrialTrainsOnDataThatOnlyTheCoordinatorHas) {
  coordinator->blobs().append(sha256_hex("rows"), 4, 0, "rows");
  start_worker(1);
  submit(sweep_on("rows"));
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("v_trial WHERE state = 'completed'"), 1);
  EXPECT_NE(log_of_the_trial().find("trains on " + (work() / "inputs").string()), std::string::npos)
      << log_of_the_trial();
}

TEST_F(ServicesWithInputs, ATrialWhoseDataIsNowhereFailsWithTheReason) {
  start_worker(1);
  submit(sweep_on("rows", "retry: {own: 0}"));
  ASSERT_TRUE(wait_until_over());
  const std::string message = select("SELECT message FROM v_trial").at(0);
  EXPECT_NE(message.find("input /sweeps/words.jsonl (4 bytes"), std::string::npos) << message;
  EXPECT_NE(message.find("the coordinator does not have it"), std::string::npos) << message;
  EXPECT_EQ(select("SELECT end_reason FROM v_attempt WHERE end_reason = 'refused'").size(), 1u);
}

TEST_F(ServicesWithInputs, WhatATrialLeftComesToStandAtTheCoordinator) {
  sends_artifacts = true;
  start_worker(1);
  submit(sweep_of({.seeds = {1}}));
  ASSERT_TRUE(wait_until_over());
  const std::string trial = select("SELECT id FROM trial").at(0);
  const std::string other(64, 'b');
  write_file(work() / "artifacts" / trial / "adapter_model.safetensors", "weights");
  write_file(work() / "artifacts" / other / "adapter_model.safetensors", "of a trial that it never had");
  EXPECT_EQ(unsent_artifacts(work()).size(), 2u);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(data() / "artifacts" / trial); }));
  EXPECT_EQ(text_of_file(data() / "artifacts" / trial / "adapter_model.safetensors"), "weights");
  EXPECT_FALSE(std::filesystem::exists(data() / "artifacts" / other));
  EXPECT_TRUE(eventually([&] { return unsent_artifacts(work()).size() == 1; }))
      << "the other is asked for again";
  EXPECT_TRUE(std::filesystem::exists(work() / "artifacts" / trial)) << "the worker keeps its copy";
}

TEST_F(ServicesWithInputs, ADrainDoesNotWaitForWhatTheCoordinatorWillNotTake) {
  sends_artifacts = true;
  start_worker(1);
  const auto empty = work() / "artifacts" / std::string(64, 'c');
  std::filesystem::create_directories(empty);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(empty.string() + ".left"); }));
  worker->drain();
  EXPECT_TRUE(eventually([&] { return worker->has_ended(); }, std::chrono::seconds(25)))
      << "an early one is waited for 30 s, an awaited one 10 minutes";
}

TEST_F(ServicesWithInputs, ADrainWaitsLongerForAnArtifactThanForAcks) {
  sends_artifacts = true;
  start_worker(1);
  submit(sweep_of({.seeds = {1}}));
  ASSERT_TRUE(wait_until_over());
  write_file(work() / "artifacts" / std::string(64, 'b') / "adapter_model.safetensors",
             "of a trial not over yet");
  worker->drain();
  EXPECT_FALSE(eventually([&] { return worker->has_ended(); }, std::chrono::seconds(20)));
}

}  // namespace
}  // namespace ranktide
