// Models and tokenizers that a sweep names by their hash, and this machine has.
#include "cli/named_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sweep/overrides.h"
#include "common/vocabulary/sha256.h"
#include "tests/cli/named_models_world.h"

namespace ranktide::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(NamedModels, AFolderThatWasHashedBeforeIsFoundByItsBase) {
  hashed(model("other", "v", "gpt2"));
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(folder))), folder);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, ATokenizerIsFoundByItsOwnHash) {
  hashed(model("tiny", "w", "gpt2"));
  add_tokenizer(path("qwen"), "qwen2");
  hashed(path("qwen"));
  EXPECT_EQ(placed(sweep("tiny", tokenizer_of(path("qwen"))), "model.tokenizer"), path("qwen"));
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, ValuesOfAnAxisAreNamedTheSameWay) {
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  SweepSpec spec = sweep("tiny");
  spec.blocks.at(0).constants.erase("model.path");
  spec.blocks[0].axes = {{.name = "model.path",
                          .points = {{.label = "a", .set = {{"model.path", "/models/a"}}},
                                     {.label = "b", .set = {{"model.path", base_of(folder)}}}},
                          .when = ""}};
  spec.blocks[0].include = {
      {.points = {{.label = "c", .set = {{"model.path", base_of(folder)}}}}, .where = ""}};
  EXPECT_THAT(place(spec), IsEmpty());
  EXPECT_EQ(spec.blocks[0].include[0].points[0].set.at("model.path"), folder.string());
  EXPECT_EQ(spec.blocks[0].axes[0].points[0].set.at("model.path"), "/models/a");
  EXPECT_EQ(spec.blocks[0].axes[0].points[1].set.at("model.path"), folder.string());
}

TEST_F(NamedModels, RulesThatSpeakOfANamedModelHoldForItsFolder) {
  const std::string a = base_of(hashed(model("a's", "v", "gpt2"))),
                    b = base_of(hashed(model("b", "w", "gpt2")));
  const std::string qwen = tokenizer_of(hashed(model("qwen", "x", "qwen2")));
  SweepSpec spec = sweep_with(
      "model.tokenizer: " + qwen + "\naxes:\n  model.path: [" + a + ", " + b +
      "]\n  train.batch: {values: [4, 8], when: \"path = '" + b + "'\"}\n" + "  budget.steps: [1, 2, 3]\n" +
      "derive: {train.weight_decay: \"0.5 if model.path in ('" + a + "', '/none') else 0.25\"}\n" +
      "exclude:\n- {model.path: " + a + ", budget.steps: 1}\n- \"tokenizer != '" + qwen + "'\"\n");
  keep_only(spec, "path = '" + a + "' or steps < 3");
  const std::vector<std::string> before = trials(spec);
  EXPECT_THAT(place(spec), IsEmpty());
  EXPECT_EQ(spec.blocks.at(0).exclude.at(0).text,
            "model.path = \"" + path("a's").string() + "\" and budget.steps = 1");
  EXPECT_EQ(trials(spec), before);
  EXPECT_EQ(before.size(), 2u + 4u) << "of a steps 2 and 3; of b steps 1 and 2 with either batch";
}

TEST_F(NamedModels, ALabelThatIsAHashStaysInTheRulesThatSpeakOfIt) {
  const std::string a = base_of(hashed(model("a", "v", "gpt2"))), b = base_of(hashed(model("b", "w", "gpt2")));
  SweepSpec spec = sweep(a);
  spec.blocks.at(0).axes = {
      {.name = "base",
       .points = {{.label = a, .set = {{"model.path", a}}}, {.label = b, .set = {{"model.path", b}}}},
       .when = ""}};
  spec.blocks[0].exclude = {{.text = "base = '" + a + "'", .where = ""}};
  EXPECT_THAT(place(spec), IsEmpty());
  EXPECT_EQ(spec.blocks[0].exclude[0].text, "base = '" + a + "'");
}

TEST_F(NamedModels, APathThatNoRuleCanQuoteIsRefused) {
  const std::string name = base_of(hashed(model("both' and \"", "v", "gpt2")));
  SweepSpec spec = sweep(name);
  spec.blocks.at(0).exclude = {{.text = "model.path != '" + name + "'", .where = ""}};
  try {
    place(spec);
    FAIL() << spec.blocks[0].exclude[0].text;
  } catch (const SpecError& error) {
    EXPECT_THAT(error.what(), HasSubstr("both kinds of quotes; rename the folder"));
  }
}

TEST_F(NamedModels, AFolderThatCannotBeReadKeepsNoOtherOneFromBeingFound) {
  const fs::path lost = hashed(model("a-lost", "v", "gpt2"));
  const std::string lost_name = base_of(lost);
  fs::remove_all(lost);
  fs::create_directory_symlink("a-lost", lost);  // nobody can say what it is
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(folder))), folder);
  EXPECT_EQ(placed(sweep("tiny", tokenizer_of(folder)), "model.tokenizer"), folder);
  EXPECT_THAT(said_, IsEmpty());
  placed(sweep(lost_name));
  EXPECT_THAT(said_, ElementsAre(HasSubstr(lost.string() + " was passed over: ")));
}

TEST_F(NamedModels, AFolderThatChangedSinceIsNotTaken) {
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  const std::string name = base_of(folder);
  write(folder / "model.safetensors", "other weights");
  EXPECT_EQ(placed(sweep(name)), name);
  hashed(folder);
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_EQ(said_.size(), 1u);
}

TEST_F(NamedModels, NoWeightsAreHashedToFindOne) {
  const fs::path folder = model("tiny", "w", "gpt2");
  HashCache(cache_folder(data())).sha256_of(folder / "config.json");
  EXPECT_EQ(placed(sweep(base_of(folder))), base_of(folder));
  hashed(folder);
  EXPECT_EQ(placed(sweep(base_of(folder))), folder);
}

TEST_F(NamedModels, OneModelBesideTwoTokenizersIsNotClearUntilTheTokenizerIsNamed) {
  const fs::path gpt2 = hashed(model("gpt2", "w", "gpt2")), qwen = hashed(model("qwen", "w", "qwen2"));
  const std::string name = base_of(gpt2);
  ASSERT_EQ(name, base_of(qwen));
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_THAT(said_, ElementsAre(AllOf(HasSubstr(name + ": this model lies beside different tokenizers"),
                                       HasSubstr(tokenizer_of(gpt2) + " in " + gpt2.string()),
                                       HasSubstr(tokenizer_of(qwen) + " in " + qwen.string()),
                                       HasSubstr("write the one that is meant as model.tokenizer"))));
  EXPECT_EQ(placed(sweep(name, tokenizer_of(qwen)), "model.tokenizer"), qwen);
  EXPECT_EQ(placed(sweep(name, tokenizer_of(qwen))), gpt2) << "either has the weights";
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, OfEqualFoldersOneThatHasTheTokenizerIsTaken) {
  hashed(model("bare", "w", ""));
  const fs::path whole = hashed(model("whole", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(whole))), whole);
}

TEST_F(NamedModels, AWorkersCopyIsTakenWhereNothingElseIs) {
  const fs::path copy = hashed(model("data/inputs/0123/files/tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(copy))), copy);
  const fs::path original = hashed(model("tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(copy))), original);
}

TEST_F(NamedModels, WhatNobodyHasIsNamedWithWhereItWasLookedForAndWhatToDo) {
  const std::string name = "sha256:" + sha256_hex("nobody's");
  EXPECT_EQ(placed(sweep(name, name)), name);
  EXPECT_THAT(said_,
              ElementsAre(AllOf(HasSubstr(name + ": no model folder that was hashed on this machine"),
                                HasSubstr((cache_folder(data()) / "hashes.json").string()),
                                HasSubstr("`ranktide plan FILE model.path=FOLDER`, which hashes it")),
                          AllOf(HasSubstr(name + ": no tokenizer folder that was hashed on this machine"),
                                HasSubstr("`ranktide plan FILE model.tokenizer=FOLDER`"))));
}

TEST_F(NamedModels, TheHashOfAWeightFileIsSaidToBeThat) {
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  placed(sweep("sha256:" + sha256_hex("w")));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("that is the file " + (folder / "model.safetensors").string() +
                                           ", and a model's hash is another one")));
}

TEST_F(NamedModels, WhatIsNoHashIsRefusedWhereItStands) {
  const auto error = [&](const std::string& model, const std::string& tokenizer) -> std::string {
    try {
      sweep(model, tokenizer);
    } catch (const SpecError& refused) {
      return refused.what();
    }
    return "taken";
  };
  const std::string name = "sha256:" + sha256_hex("w");
  EXPECT_THAT(
      error("sha256:abc", ""),
      HasSubstr("sweep.yaml:8:13: model.path: not a hash of a model or tokenizer; write sha256: and the 64 "
                "hex digits that `plan` prints"));
  EXPECT_THAT(error(name, name + ".json"), HasSubstr("sweep.yaml:9:18: model.tokenizer: not a hash"));
  EXPECT_EQ(error(name, name), "taken");
}

}  // namespace
}  // namespace ranktide::cli
