// What is told of the files that a sweep names.

#include "cli/inputs.h"

#include <iterator>

#include "common/sweep/identity.h"
#include "tests/cli/named_models_world.h"

namespace ranktide::cli {
namespace {

class InputsOfASweep : public NamedModels {
 protected:
  InputsOfASweep() {
    model("m", "of weights nothing is read", "gpt2");
    write(path("rows.jsonl"), R"({"prompt": "Twice a day the tide", "completion": " turns"})");
  }

  InputsRead inputs_of(const std::string& more) {
    write(path("s.yaml"),
          "version: 1\nname: s\nmethod: full\ntrain.lr: 1\nbudget.steps: 1\nmodel.path: m\ndata.train: "
          "rows.jsonl\n" +
              more);
    spec_ = read_sweep(path("s.yaml").string(), {});
    return read_inputs(spec_, {.data = data(), .coordinator = coordinator_, .say = [](const std::string&) {}});
  }

  DataInput data_of(const std::string& more) {
    const InputsRead read = inputs_of(more);
    return read.inputs.data.at(
        data_key(wanted_inputs(spec_).data.at(0).data, Tokenizer::load(path("m")).sha256()));
  }

  // Of the sweep's eval.
  EvalSize eval_size_of(const std::string& more) {
    const InputsRead read = inputs_of(more);
    const EvalSpec eval = with_content(wanted_inputs(spec_).evals.at(0).spec, read.inputs);
    return read.eval_sizes.at(
        eval_size_key(eval_spec_id(eval, read.inputs), Tokenizer::load(path("m")).sha256()));
  }

  SweepSpec spec_;
};

TEST_F(InputsOfASweep, DataIsToldWithItsLabels) {
  const DataInput whole = data_of("data.mask_prompt: false\n"), masked = data_of("");
  EXPECT_EQ(whole.labels, whole.tokens - 1) << "the last predicts nothing";
  EXPECT_EQ(masked.tokens, whole.tokens);
  EXPECT_GT(masked.labels, 0);
  EXPECT_LT(masked.labels, whole.labels);
  EXPECT_EQ(data_of("").labels, masked.labels) << "from the cache";
}

TEST_F(InputsOfASweep, AnEvalIsToldWithASequenceForEachChoiceAndWhatIsScoredOfThem) {
  write(path("asked.jsonl"), R"({"query": "Twice a day the tide", "choices": ["turns", "sleeps"], "gold": 0})");
  const std::string asked = "eval.learn: {tide: {data: asked.jsonl, kind: choice}}\n";
  const auto length = [tokenizer = Tokenizer::load(path("m"))](const std::string& text) {
    return static_cast<double>(tokenizer.encode(text, Special::as_text).size());
  };
  const double query = length("Twice a day the tide"), turns = length("Twice a day the tide turns"),
               sleeps = length("Twice a day the tide sleeps");
  const EvalSize size = eval_size_of(asked);
  EXPECT_EQ(size.tokens, turns + sleeps);
  EXPECT_EQ(size.sequence_tokens, (turns + sleeps) / 2);
  EXPECT_NEAR(size.scored_share, (turns + sleeps - 2 * query) / (turns + sleeps), 1e-15);
}

TEST_F(InputsOfASweep, AnEvalIsReadOnceAndWhatAnotherWroteInTheCacheStopsNobody) {
  write(path("asked.txt"), "Twice a day the tide turns.");
  const std::string asked = "eval.learn: {tide: {data: asked.txt}}\n";
  const std::vector<std::string> unreadable = inputs_of(asked).unreadable;  // the model, not the eval
  const fs::path cache = cache_folder(data()) / "hashes.json";
  std::ifstream in(cache, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto replace = [&](const std::string& from, const std::string& to) {
    ASSERT_NE(text.find(from), std::string::npos) << text;
    text.replace(text.find(from), from.size(), to);
    write(cache, text);
  };
  replace(R"(\"tokens\":)", R"(\"tokens\":7777)");
  EXPECT_GE(eval_size_of(asked).tokens, 7777) << "from the cache";
  replace(R"({\"scored)", R"([{\"scored)");
  EXPECT_EQ(inputs_of(asked).unreadable, unreadable);
  EXPECT_TRUE(inputs_of(asked).eval_sizes.empty());
}

}  // namespace
}  // namespace ranktide::cli
