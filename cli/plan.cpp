// `ranktide plan`: what a sweep file means, counted and estimated; changes nothing but caches.

#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/device_table.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/plan_difference.h"
#include "cli/results.h"
#include "cli/sweep_choice.h"
#include "cli/sweep_plan.h"
#include "cli/trial_label.h"
#include "common/vocabulary/content_name.h"
#include "worker/daemon/devices.h"

namespace ranktide::cli {
namespace {

constexpr int kThreads = 1;  // of a slot, as `run` and workers make them unless told otherwise

struct PlanOptions {
  SweepChoice sweep;
  bool list = false;
  std::string diff;  // the sweep to compare with; empty: none
};

Json block_json(const SweepPlan& plan, const BlockCount& b) {
  Json out{{"block", b.block},
           {"axes", b.axes},
           {"cells", b.cells},
           {"excluded", b.excluded},
           {"distinct", b.distinct()}};
  if (const auto range = cost_range(plan, b.block)) {
    out["seconds"] = {{"min", range->seconds_min}, {"max", range->seconds_max}};
    out["memory_bytes"] = {{"min", range->memory_bytes_min}, {"max", range->memory_bytes_max}};
  }
  return out;
}

Json plan_json(const SweepPlan& plan, int slots) {
  Json blocks = Json::array();
  for (const BlockCount& b : plan.blocks) blocks.push_back(block_json(plan, b));
  Json out{{"sweep", plan.spec.name},
           {"blocks", blocks},
           {"trials", plan.trials.size()},
           {"done", plan.done},
           {"resumable", plan.resumable},
           {"not_kept", plan.not_kept},
           {"provisional", !plan.unreadable.empty()},
           {"unreadable", plan.unreadable},
           {"warnings", plan.warnings}};
  if (plan.estimate)
    out["estimate"] = {{"seconds", plan.estimate->slot_seconds / slots},
                       {"slots", slots},
                       {"measured", plan.estimate->basis == TimeBasis::trials},
                       {"basis", word_of(plan.estimate->basis)},
                       {"memory_bytes", plan.estimate->memory_bytes}};
  return out;
}

Json trials_json(const SweepPlan& plan) {
  Json out = Json::array();
  for (size_t i = 0; i < plan.trials.size(); ++i) {
    const SweepTrial& trial = plan.trials[i];
    out.push_back({{"trial", trial.id.text},
                   {"provisional", trial.provisional},
                   {"steps", trial.steps},
                   {"label", label_of(trial)}});
    if (!plan.costs[i]) continue;
    out.back()["seconds"] = plan.costs[i]->seconds;
    out.back()["memory_bytes"] = plan.costs[i]->memory_bytes;
  }
  return out;
}

// What a sweep may name instead of the folders (named_models.h): those that were read.
Json models_json(const SweepPlan& plan) {
  Json out = Json::array();
  for (const ModelSettings& wanted : wanted_inputs(plan.spec).models) {
    const auto read = plan.spec.inputs.models.find(model_key(wanted));
    if (read == plan.spec.inputs.models.end()) continue;
    out.push_back({{"path", wanted.path},
                   {"base", read->second.base.text},
                   {"tokenizer", wanted.tokenizer.empty() ? wanted.path : wanted.tokenizer},
                   {"tokenizer_sha256", read->second.tokenizer_sha256}});
  }
  return out;
}

void print_models(const Json& models) {
  const auto line = [](const char* what, const Json& hash, const Json& path) {
    std::cout << fmt::format("{:<9}  {}{}  {}\n", what, kContentPrefix, hash.get<std::string>(),
                             path.get<std::string>());
  };
  for (const Json& model : models) {
    line("model", model.at("base"), model.at("path"));
    line("tokenizer", model.at("tokenizer_sha256"), model.at("tokenizer"));
  }
}

void print_trials(const SweepPlan& plan) {
  for (const SweepTrial& trial : plan.trials)
    std::cout << fmt::format("{}{}  {} steps  {}\n", trial.id.brief(), trial.provisional ? "?" : " ",
                             trial.steps, label_of(trial));
}

// What was done before is the coordinator's to tell, where there is one.
Past past_for(const GlobalOptions& globals) {
  if (!has_results(globals)) return {};
  const Results results(globals);
  return {.trials = results.standings(), .measured = results.measured()};
}

int run_plan(const PlanOptions& options, const GlobalOptions& globals) {
  const auto say = [&](const std::string& line) {
    if (!globals.quiet && !globals.json) std::cerr << line << "\n";
  };
  const std::filesystem::path data = data_folder(globals.data_dir);
  const Past past = past_for(globals);
  SweepPlan plan =
      make_plan(chosen_sweep(options.sweep), options.sweep.file,
                {.data = data, .coordinator = [&] { return chosen_coordinator(globals); }, .say = say}, past);
  predict(plan, past, kept_table(data, kThreads, say), kThreads);
  const NodeCapacity node = measure_node();
  const int slots = slots_for(node.cores, node.memory_bytes, static_cast<int64_t>(plan.trials.size()),
                              plan.estimate ? plan.estimate->memory_bytes : 0);
  Json out = plan_json(plan, slots);
  out["models"] = models_json(plan);
  if (options.list) out["list"] = trials_json(plan);
  std::optional<PlanDifference> difference;
  if (!options.diff.empty())
    difference = difference_to(Results(globals).spec(options.diff), plan.spec,
                               plan.unreadable.empty() ? Ids::final : Ids::provisional);
  if (difference) out["diff"] = to_json(*difference);
  if (globals.json) {
    std::cout << out.dump(2) << "\n";
    return kOk;
  }
  std::cout << plan_text(plan, slots);
  print_models(out["models"]);
  if (options.list) print_trials(plan);
  if (difference) std::cout << text_of(*difference);
  return kOk;
}

}  // namespace

std::function<int()> setup_plan(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<PlanOptions>();
  add_sweep_options(command, options->sweep);
  command.add_flag("--list", options->list, "one line per trial");
  command.add_option("--diff", options->diff,
                     "how it differs from a sweep that was submitted before, by its name");
  return [options, &globals] { return run_plan(*options, globals); };
}

}  // namespace ranktide::cli
