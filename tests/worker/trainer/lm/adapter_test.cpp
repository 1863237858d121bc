// LoRA by property, and the adapter folder against PEFT's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "tests/common/model/scratch.h"
#include "tests/worker/trainer/lm/tiny.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Model trained_by_peft(Dtype dtype = Dtype::fp32) {
  return Model::with_adapter(tiny::base("llama", dtype), tiny::folder("adapter_end"));
}

TEST(Lora, AFreshAdapterChangesNothing) {
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const auto base = tiny::base("llama", dtype);
    EXPECT_EQ(Model::with_lora(base, tiny::lora_all(), 1).logits(tiny::prompt()),
              Model::untouched(base).logits(tiny::prompt()));
  }
}

TEST(Lora, TheSeedDecidesTheStart) {
  const auto base = tiny::base();
  EXPECT_EQ(Model::with_lora(base, tiny::lora_all(), 1).weights_sha256(),
            Model::with_lora(base, tiny::lora_all(), 1).weights_sha256());
  EXPECT_NE(Model::with_lora(base, tiny::lora_all(), 1).weights_sha256(),
            Model::with_lora(base, tiny::lora_all(), 2).weights_sha256());
}

TEST(Lora, LogitsEqualPeftWithItsTrainedAdapter) {
  EXPECT_LT(
      tiny::largest_difference(trained_by_peft().logits(tiny::prompt()), tiny::reference_logits("adapter_end")),
      1e-4);
}

TEST(Lora, MergedEqualsUnmerged) {
  Model model = trained_by_peft();
  const auto unmerged = model.logits(tiny::prompt());
  const std::string base_before = model.base().sha256();
  model.merge();
  const auto merged = model.logits(tiny::prompt());
  EXPECT_LT(tiny::largest_difference(merged, unmerged), 2e-5);
  model.merge();
  EXPECT_EQ(model.logits(tiny::prompt()), merged);
  EXPECT_EQ(model.base().sha256(), base_before);
}

TEST(Lora, AMergedModelIsSavedWhole) {
  const Scratch scratch;
  Model model = trained_by_peft();
  model.merge();
  model.save(scratch.path() / "merged");
  const Model again = Model::untouched(Base::load(scratch.path() / "merged", Dtype::fp32));
  EXPECT_EQ(again.logits(tiny::prompt()), model.logits(tiny::prompt()));
}

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  const SafetensorsFile file(folder / "adapter_model.safetensors");
  for (const auto& [name, view] : file.tensors()) names.insert(name);
  return names;
}

TEST(Lora, TheSavedAdapterHasExactlyPeftsNames) {
  const Scratch scratch;
  Model::with_lora(tiny::base(), tiny::lora_all(16), 1).save(scratch.path());
  EXPECT_EQ(names_in(scratch.path()), names_in(tiny::folder("adapter_start")));
  const Json ours = tiny::read_json_file(scratch.path() / "adapter_config.json");
  const Json theirs = tiny::read_json_file(tiny::folder("adapter_start") / "adapter_config.json");
  for (const auto& [key, value] : ours.items()) EXPECT_TRUE(theirs.contains(key)) << key;
  EXPECT_EQ(ours["r"], 16);
  EXPECT_EQ(ours["lora_alpha"], 32);
}

TEST(Lora, ASavedAdapterLoadsInPeftWithEqualLogits) {
  const std::string source = RANKTIDE_SOURCE_DIR, python = source + "/.env/bin/python";
  if (!std::filesystem::exists(python)) GTEST_SKIP() << "no Python environment at .env: run ./bootstrap test";
  const Scratch scratch;
  const Model model = trained_by_peft();
  model.save(scratch.path() / "adapter");
  scratch.put("logits.json", Json(model.logits(tiny::prompt())).dump());
  const std::string command = python + " " + source + "/tests/golden/check_adapter_in_peft.py " +
                              tiny::folder("llama").string() + " " + (scratch.path() / "adapter").string() +
                              " " + tiny::folder("prompt.json").string() + " " +
                              (scratch.path() / "logits.json").string();
  const int status = std::system(command.c_str());
  if (WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "PEFT is not installed in .env: run ./bootstrap test, which installs it";
  EXPECT_EQ(status, 0) << "exit code or signal, as wait gives it";
}

TEST(Lora, ASavedAdapterLoadsAgainBitForBit) {
  const Scratch scratch;
  const Model model = trained_by_peft();
  model.save(scratch.path());
  EXPECT_EQ(Model::with_adapter(tiny::base(), scratch.path()).weights_sha256(), model.weights_sha256());
}

// Returns: why PEFT's folder does not load with these keys of its config; empty if it does.
std::string refusal_of(const Json& keys) {
  const Scratch scratch;
  std::filesystem::copy(tiny::folder("adapter_start"), scratch.path(),
                        std::filesystem::copy_options::recursive);
  Json config = tiny::read_json_file(scratch.path() / "adapter_config.json");
  config.update(keys);
  scratch.put("adapter_config.json", config.dump());
  try {
    Model::with_adapter(tiny::base(), scratch.path());
    return {};
  } catch (const ModelError& e) {
    return e.what();
  }
}

// The last is of a PEFT that does not exist yet.
TEST(Lora, RefusesAdaptersThatComputeSomethingElse) {
  const std::vector<std::pair<std::string, Json>> keys{{"use_dora", true},
                                                       {"bias", "all"},
                                                       {"fan_in_fan_out", true},
                                                       {"lora_bias", true},
                                                       {"use_qalora", true},
                                                       {"peft_type", "ADALORA"},
                                                       {"modules_to_save", {"lm_head"}},
                                                       {"layers_to_transform", {0}},
                                                       {"layers_pattern", "layers"},
                                                       {"rank_pattern", {{"q_proj", 8}}},
                                                       {"alpha_pattern", {{"q_proj", 8}}},
                                                       {"exclude_modules", {"k_proj"}},
                                                       {"trainable_token_indices", {1}},
                                                       {"target_parameters", {"experts"}},
                                                       {"layer_replication", Json::array({{0, 1}})},
                                                       {"init_lora_weights", "pissa"},
                                                       {"init_lora_weights", "pissa_niter_16"},
                                                       {"init_lora_weights", "olora"},
                                                       {"init_lora_weights", "corda"},
                                                       {"init_lora_weights", "loftq"},
                                                       {"init_lora_weights", "lora_ga"},
                                                       {"init_lora_weights", "mica"},
                                                       {"alora_invocation_tokens", {1, 2}},
                                                       {"use_bdlora", {{"nblocks", 2}}},
                                                       {"arrow_config", {{"top_k", 3}}},
                                                       {"kasa_config", {{"beta", 1e-4}}},
                                                       {"kasa_config", Json::object()},
                                                       {"monteclora_config", Json::object()},
                                                       {"velora_config", Json::object()},
                                                       {"megatron_config", {{"tensor_model_parallel_size", 2}}},
                                                       {"a_key_of_tomorrow", 1}};
  for (const auto& [key, value] : keys)
    EXPECT_THAT(refusal_of({{key, value}}),
                AllOf(HasSubstr("\"" + key + "\" = " + value.dump() + " is not implemented"),
                      HasSubstr("use the merged model")));
  EXPECT_THAT(refusal_of({{"peft_type", "ADALORA"}, {"beta1", 0.85}}),
              HasSubstr("\"peft_type\" = \"ADALORA\""));
}

// Starts that leave the base as it is; what another key would have to turn on; keys that are off.
TEST(Lora, ReadsEveryAdapterThatIsPlainLora) {
  const Json eva{{"rho", 1.0}, {"tau", 0.99}, {"whiten", false}};
  const std::vector<Json> plain{{{"init_lora_weights", false}},
                                {{"init_lora_weights", nullptr}},
                                {{"init_lora_weights", "gaussian"}},
                                {{"init_lora_weights", "orthogonal"}},
                                {{"init_lora_weights", "eva"}, {"eva_config", eva}},
                                {{"corda_config", {{"corda_method", "ipm"}}}},
                                {{"lora_ga_config", {{"direction", "ArB2r"}}}},
                                {{"loftq_config", {{"loftq_bits", 4}}}},
                                {{"runtime_config", {{"ephemeral_gpu_offload", false}}}},
                                {{"ensure_weight_tying", true}},
                                {{"lora_dropout", 0.1}, {"use_rslora", true}},
                                {{"a_key_of_tomorrow", nullptr}},
                                {{"a_key_of_tomorrow", false}},
                                {{"a_key_of_tomorrow", Json::array()}},
                                {{"a_key_of_tomorrow", ""}}};
  for (const Json& keys : plain) EXPECT_EQ(refusal_of(keys), "") << keys;
}

TEST(Lora, RefusesATargetThatTheModelLacks) {
  LoraSettings lora = tiny::lora_all();
  lora.target = {"gate"};
  EXPECT_THROW(Model::with_lora(tiny::base(), lora, 1), ModelError);
}

}  // namespace
}  // namespace ranktide
