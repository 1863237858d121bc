#pragma once
// Plans without a machine: a model folder that has a shape and no weights, inputs that nobody read but that
// have hashes, and products at a speed of choice.

#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "cli/plan_text.h"
#include "cli/sweep_plan.h"
#include "common/sweep/identity.h"
#include "common/sweep/sweep_yaml.h"
#include "common/vocabulary/sha256.h"
#include "tests/common/model/product_rates.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {

class PlanWorld : public testing::Test {
 protected:
  PlanWorld() {
    std::filesystem::create_directories(path("model"));
    std::ofstream(path("model") / "config.json")
        << R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 1024,
               "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
               "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu", "rms_norm_eps": 1e-5,
               "rope_theta": 10000.0, "max_position_embeddings": 2048, "tie_word_embeddings": true})";
  }

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  // full: 1 cell; lora: ranks 4 and 16; two seeds each.
  static std::string text(const std::string& more = "seeds: 2\n") {
    return "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nbudget: {steps: 8}\n"
           "train: {lr: 1e-4, batch: 4}\neval: {learn: {held: {data: held.txt}}}\n"
           "blocks:\n  full: {method: full}\n  lora: {method: lora, lora.rank: [4, 16]}\n" +
           more;
  }

  // `changed`: files whose content is another than it was.
  PreparedSweep read(const std::string& sweep, const std::vector<std::string>& overrides = {},
                     const std::string& changed = "") const {
    SweepSpec spec = parse_sweep(sweep, "s.yaml", folder_.path(), overrides);
    const auto hash = [&](const std::string& file) {
      return sha256_hex(file + (!changed.empty() && file.ends_with(changed) ? " changed" : ""));
    };
    for (const WantedData& wanted : wanted_inputs(spec).data) {
      const std::string key = model_key(wanted.model), file = wanted.data.train.at(0).path;
      spec.inputs.models[key] = {
          .path = wanted.model.path, .base = BaseId{hash("base")}, .tokenizer_sha256 = "t"};
      spec.inputs.data[data_key(wanted.data, "t")] = {
          .sha256 = hash(file), .documents = 100, .tokens = 4800, .rows = 100};
      spec.inputs.contents[file] = {.sha256 = hash(file), .bytes = 9};
    }
    for (const std::string& file : wanted_inputs(spec).files) {
      spec.inputs.files[file] = hash(file);
      spec.inputs.contents[file] = {.sha256 = hash(file), .bytes = 9};
    }
    return {.spec = spec, .read = spec.inputs, .unreadable = {}, .elsewhere = {}};
  }

  SweepPlan plan(const std::string& sweep, const Past& past = {},
                 const std::vector<std::string>& overrides = {}, double speed = 1e-6) const {
    SweepPlan out = plan_of(read(sweep, overrides), past);
    predict(out, past, products_at(speed), 1);
    return out;
  }

  // A plan's trials one by one.
  struct Listed {
    std::vector<SweepTrial> trials;
    std::vector<Fate> fates;                      // beside trials
    std::vector<std::optional<TrialCost>> costs;  // likewise
  };
  static Listed listed(const SweepPlan& plan) {
    Listed out;
    for_each_trial(plan, [&](const PlannedTrial& planned) {
      out.trials.push_back(planned.trial);
      out.fates.push_back(planned.fate);
      out.costs.push_back(planned.cost);
    });
    return out;
  }

  static SlotsThere slots(std::vector<int64_t> memory_bytes) {
    SlotsThere out;
    for (const int64_t bytes : memory_bytes)
      out.slots.push_back(
          {.index = static_cast<int>(out.slots.size()), .device = "cpu", .memory_bytes = bytes});
    return out;
  }

  // A trial as a folder tells of it, its evals at the end among what is told.
  static TrialStanding standing(const SweepTrial& trial, const std::string& state, const std::string& keep,
                                bool with_evals = true) {
    TrialStanding out{.trial = trial.id.text, .state = state, .keep = keep};
    for (const EvalTask& task : trial.evals)
      if (with_evals) out.evals.push_back(task.spec_id.substr(0, kEvalDigits));
    return out;
  }

  TemporaryFolder folder_;
};

}  // namespace ranktide::cli
