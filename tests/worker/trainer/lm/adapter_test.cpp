// LoRA by property, and the adapter folder against PEFT's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "tests/common/model/scratch.h"
#include "tests/worker/trainer/lm/tiny.h"

namespace ranktide {
namespace {

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

TEST(Lora, RefusesAdaptersThatComputeSomethingElse) {
  const Scratch scratch;
  std::filesystem::copy(tiny::folder("adapter_start"), scratch.path(),
                        std::filesystem::copy_options::recursive);
  Json config = tiny::read_json_file(scratch.path() / "adapter_config.json");
  config["use_dora"] = true;
  scratch.put("adapter_config.json", config.dump());
  try {
    Model::with_adapter(tiny::base(), scratch.path());
    FAIL();
  } catch (const ModelError& e) {
    EXPECT_THAT(e.what(), HasSubstr("\"use_dora\" = true is not implemented"));
  }
}

TEST(Lora, RefusesATargetThatTheModelLacks) {
  LoraSettings lora = tiny::lora_all();
  lora.target = {"gate"};
  EXPECT_THROW(Model::with_lora(tiny::base(), lora, 1), ModelError);
}

}  // namespace
}  // namespace ranktide
