// What is told of the files that a sweep names.

#include "cli/inputs.h"

#include "common/sweep/identity.h"
#include "tests/cli/named_models_world.h"

namespace ranktide::cli {
namespace {

class InputsOfASweep : public NamedModels {
 protected:
  DataInput data_of(const std::string& more) const {
    write(path("s.yaml"),
          "version: 1\nname: s\nmethod: full\ntrain.lr: 1\nbudget.steps: 1\nmodel.path: m\ndata.train: "
          "rows.jsonl\n" +
              more);
    SweepSpec spec = read_sweep(path("s.yaml").string(), {});
    const Inputs inputs =
        read_inputs(spec, {.data = data(), .coordinator = coordinator_, .say = [](const std::string&) {}})
            .inputs;
    return inputs.data.at(data_key(wanted_inputs(spec).data.at(0).data, Tokenizer::load(path("m")).sha256()));
  }
};

TEST_F(InputsOfASweep, DataIsToldWithItsLabels) {
  model("m", "of weights nothing is read", "gpt2");
  write(path("rows.jsonl"), R"({"prompt": "Twice a day the tide", "completion": " turns"})");
  const DataInput whole = data_of("data.mask_prompt: false\n"), masked = data_of("");
  EXPECT_EQ(whole.labels, whole.tokens - 1) << "the last predicts nothing";
  EXPECT_EQ(masked.tokens, whole.tokens);
  EXPECT_GT(masked.labels, 0);
  EXPECT_LT(masked.labels, whole.labels);
  EXPECT_EQ(data_of("").labels, masked.labels) << "from the cache";
}

}  // namespace
}  // namespace ranktide::cli
