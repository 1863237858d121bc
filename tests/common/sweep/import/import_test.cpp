// Files in the shape of real ones and what they come to: tests/common/sweep/import/examples/TOOL/NAME.in.yaml
// and NAME.out.yaml. `import_test --rewrite` writes the latter anew; read the difference before you commit it.

#include "common/sweep/import/import.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>

#include "common/sweep/grid.h"
#include "common/sweep/sweep_yaml.h"

namespace ranktide {

bool rewrite_goldens = false;

namespace {

namespace fs = std::filesystem;

struct Example {
  ForeignTool tool;
  std::string name;
  fs::path in, out;
};

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Example> examples() {
  const fs::path folder = fs::path(RANKTIDE_SOURCE_DIR) / "tests/common/sweep/import/examples";
  const std::map<std::string, ForeignTool> tools{
      {"wandb", ForeignTool::wandb}, {"hydra", ForeignTool::hydra}, {"axolotl", ForeignTool::axolotl}};
  std::vector<Example> out;
  for (const auto& [word, tool] : tools)
    for (const auto& entry : fs::directory_iterator(folder / word)) {
      const std::string file = entry.path().filename().string();
      if (!file.ends_with(".in.yaml")) continue;
      const std::string name = file.substr(0, file.size() - std::string_view(".in.yaml").size());
      out.push_back({tool, name, entry.path(), folder / word / (name + ".out.yaml")});
    }
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.in < b.in; });
  return out;
}

Imported imported(const Example& example) {
  return import_sweep(example.tool, SourceText(example.in.filename().string(), read(example.in)), example.name);
}

Imported imported(ForeignTool tool, const std::string& text) {
  return import_sweep(tool, SourceText("theirs.yaml", text), "theirs");
}

// What a person does with the lines to fill in.
std::string filled_in(const std::string& yaml) {
  std::istringstream lines(yaml);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    out += (line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line) + "\n";
  return out;
}

bool says(const Imported& imported, const std::string& words) {
  return imported.yaml.find(words) != std::string::npos;
}

TEST(Import, ComesToTheGoldens) {
  for (const Example& example : examples()) {
    const std::string yaml = imported(example).yaml;
    if (rewrite_goldens)
      std::ofstream(example.out, std::ios::binary) << yaml;
    else
      EXPECT_EQ(yaml, read(example.out)) << example.in << "\nrewrite it with: import_test --rewrite";
  }
  EXPECT_GE(examples().size(), 12U);
}

TEST(Import, WhatItWritesIsReadOnceItIsFilledIn) {
  for (const Example& example : examples()) {
    const Imported result = imported(example);
    EXPECT_NO_THROW(Grid(parse_sweep(filled_in(result.yaml), example.name, "/")).counts()) << example.in;
    EXPECT_EQ(result.left.empty(), filled_in(result.yaml) == result.yaml) << example.in;
  }
}

// Every scalar and key of a file stands somewhere in the result, in a value or in a comment.
void expect_words(const YamlNode& node, const Imported& result, const fs::path& file) {
  for (const auto& item : node.items) expect_words(item, result, file);
  for (const auto& entry : node.entries) {
    const bool is_unset = entry.value.kind == YamlNode::Kind::null;
    if (!is_unset && entry.key != "parameters" && entry.key != "params" && entry.key != "sweeper" &&
        entry.key != "values" && entry.key != "value") {
      EXPECT_TRUE(says(result, entry.key)) << file << " loses " << entry.key;
    }
    expect_words(entry.value, result, file);
  }
}

TEST(Import, LosesNoKeyInSilence) {
  for (const Example& example : examples()) {
    const SourceText source(example.in.string(), read(example.in));
    expect_words(parse_yaml(source), imported(example), example.in);
  }
}

TEST(Import, SaysWhatIsLeftToDo) {
  const Imported result =
      imported(ForeignTool::wandb, "method: grid\nparameters: {lora_r: {values: [8, 16]}}\n");
  ASSERT_EQ(result.left.size(), 4U);
  EXPECT_EQ(result.left[0], "model.path: folder of the base model, or hub:org/name");
  EXPECT_EQ(result.left[1], "data.train: file of rows or text");
  EXPECT_EQ(result.left[2], "budget.epochs: or budget.steps, budget.tokens");
  EXPECT_EQ(result.left[3], "train.lr: peak learning rate");
}

TEST(Import, AValueThatNothingTakesBecomesAComment) {
  const Imported result = imported(
      ForeignTool::wandb, "method: grid\nparameters: {lora_r: {value: many}, lr: {value: \"1e-4\"}}\n");
  EXPECT_TRUE(says(result, "# not taken: lora_r: many - lora.rank takes a whole number")) << result.yaml;
  EXPECT_TRUE(says(result, "train.lr: 1e-4")) << result.yaml;
}

TEST(Import, WhatHasNoEffectIsLeftOut) {
  const Imported result =
      imported(ForeignTool::axolotl, "base_model: org/m\nlora_r: 8\nlearning_rate: 1e-4\nnum_epochs: 1\n");
  EXPECT_TRUE(says(result, "method: full")) << result.yaml;
  EXPECT_TRUE(says(result, "# not taken: lora_r: 8 - lora.rank has no effect with method: full"))
      << result.yaml;
}

TEST(Import, ARandomSearchWithoutANumberIsToBeFilledIn) {
  const Imported result =
      imported(ForeignTool::wandb,
               "method: random\nparameters: {lr: {distribution: log_uniform_values, min: 1e-5, max: 1e-3}}\n");
  EXPECT_TRUE(says(result, "  train.lr: {log: [1e-05, 0.001]}")) << result.yaml;
  EXPECT_TRUE(says(result, "#search: {random: 20}")) << result.yaml;
  EXPECT_EQ(result.left.back(), "search (method: random without a run_cap): how many cells are drawn");
}

TEST(Import, AFileOfAnotherToolIsRefused) {
  EXPECT_THROW(imported(ForeignTool::wandb, "base_model: m\n"), SpecError);
  EXPECT_THROW(imported(ForeignTool::hydra, "word\n"), SpecError);
  EXPECT_THROW(imported(ForeignTool::axolotl, "- a\n"), SpecError);
}

TEST(Import, AConfigurationInOurWordsStaysAsItIs) {
  const Imported result =
      imported(ForeignTool::hydra,
               "data: {fields: {prompt: q, completion: a}}\neval:\n  learn: {held: {data: h.jsonl}}\n"
               "  at: [0, 50%, end]\ntrain: {lr: 1e-4}\n");
  for (const char* line : {"data.fields: {prompt: q, completion: a}\n", "eval.learn: {held: {data: h.jsonl}}\n",
                           "eval.at: [0, 50%, end]\n", "train.lr: 1e-4\n"})
    EXPECT_TRUE(says(result, line)) << result.yaml;
}

// A file that was cut is imported as far as it goes, or refused.
TEST(Import, TakesOrRefusesEveryBeginningOfAFile) {
  for (const Example& example : examples()) {
    const std::string text = read(example.in);
    for (size_t cut = text.size() / 9; cut < text.size(); cut += text.size() / 9) try {
        const Imported result =
            import_sweep(example.tool, SourceText(example.name, text.substr(0, cut)), example.name);
        EXPECT_FALSE(says(result, "does not read")) << result.yaml;
      } catch (const SpecError&) {
        continue;  // no YAML any more
      }
  }
}

// The reader's limits hold for other people's files too.
TEST(Import, ANameMayBeAnything) {
  const Imported result =
      imported(ForeignTool::wandb,
               "name: \"\\u00e9t\\u00e9: #1\"\nmethod: grid\nparameters: {foo: {value: \"a\\nb # c\"}}\n");
  EXPECT_NO_THROW(parse_sweep(filled_in(result.yaml), "x", "/")) << result.yaml;
}

TEST(Import, WholeEndsMeanWholeNumbersWhereOurSettingTakesOthersToo) {
  const std::string yaml =
      imported(ForeignTool::wandb, "method: random\nparameters: {epochs: {min: 1, max: 3}}\n").yaml;
  EXPECT_NE(yaml.find("budget.epochs: {min: 1, max: 3, step: 1}"), std::string::npos) << yaml;
}

TEST(Import, AMissingBetaIsTheOptimizersOwn) {
  const auto betas_of = [](const std::string& optimizer) {
    return imported(ForeignTool::axolotl, "base_model: org/m\nadam_beta1: 0.8\n" + optimizer);
  };
  EXPECT_TRUE(says(betas_of(""), "train.betas: [0.8, 0.999]"));
  EXPECT_TRUE(says(betas_of("optimizer: adamw_torch\n"), "train.betas: [0.8, 0.999]"));
  EXPECT_TRUE(says(betas_of("optimizer: lion_8bit\n"), "train.betas: [0.8, 0.99]"));
  const Imported varied = imported(
      ForeignTool::wandb,
      "method: grid\nparameters: {adam_beta1: {value: 0.8}, optimizer: {values: [lion_8bit, adamw_torch]}}\n");
  EXPECT_TRUE(says(varied, "# not taken: adam_beta1: 0.8 - train.betas takes two")) << varied.yaml;
}

TEST(Import, AnIntervalThatIsLeftOutAsksForNoSearch) {
  const auto search_of = [](const std::string& override) {
    return says(imported(ForeignTool::hydra, "- train.lr=1e-4\n- " + override + "\n"), "search:");
  };
  EXPECT_TRUE(search_of("train.clip=interval(0.5, 2)"));
  EXPECT_FALSE(search_of("train.lr=interval(1e-5, 1e-3)")) << "it is given already";
  EXPECT_FALSE(search_of("train.optimizer=interval(0, 1)"));
}

TEST(Import, WhatOthersWroteStaysInItsComment) {
  const Imported result = imported(
      ForeignTool::wandb,
      "method: grid\nparameters: {\"x\\nrun.priority: 7\\n#\": {value: 1}, \"a\\rlora_r\": {value: 8},\n"
      "  \"b\\nrun.priority: 6\\n.lr\": {value: 1e-4}, \"c\\nrun.priority: 5\\n.max_steps\": {value: -1}}\n");
  EXPECT_FALSE(says(result, "\nrun.priority")) << result.yaml;
  EXPECT_EQ(parse_sweep(filled_in(result.yaml), "x", "/").run.priority, 0) << result.yaml;
  EXPECT_TRUE(says(result, "x run.priority: 7 #")) << result.yaml;
}

}  // namespace
}  // namespace ranktide

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ranktide::rewrite_goldens = argc > 1 && std::string(argv[1]) == "--rewrite";
  return RUN_ALL_TESTS();
}
