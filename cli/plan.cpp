// `ranktide plan`: what a sweep file means, counted and estimated; changes nothing but caches.

#include <fmt/format.h>
#include <iostream>

#include "cli/changed_inputs.h"
#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/device_table.h"
#include "cli/exit_codes.h"
#include "cli/explain.h"
#include "cli/folders.h"
#include "cli/patient_client.h"
#include "cli/plan_difference.h"
#include "cli/plan_file.h"
#include "cli/plan_json.h"
#include "cli/plan_text.h"
#include "cli/results.h"
#include "cli/slots_there.h"
#include "cli/sweep_choice.h"
#include "cli/sweep_selection.h"
#include "cli/terminal.h"
#include "cli/trial_label.h"
#include "common/vocabulary/content_name.h"

namespace ranktide::cli {
namespace {

struct PlanOptions {
  SweepChoice sweep;
  bool list = false;
  std::string diff;     // the sweep to compare with; empty: none
  std::string output;   // plan.jsonl; empty: none is written
  std::string explain;  // the key; empty: the plan is printed
  std::string block;    // of explain; empty: all
};

Json trials_json(const SweepPlan& plan) {
  Json out = Json::array();
  for_each_trial(plan, [&](const PlannedTrial& trial) { out.push_back(trial_json(trial)); });
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
  for_each_trial(plan, [](const PlannedTrial& planned) {
    const SweepTrial& trial = planned.trial;
    std::cout << fmt::format("{}{}  {} steps  {}  {}", trial.id.brief(), trial.provisional ? "?" : " ",
                             trial.steps, label_of(trial), word_of(planned.fate));
    if (const auto& cost = planned.cost)
      std::cout << "  " << bytes_text(static_cast<double>(cost->memory_bytes))
                << (cost->basis > TimeBasis::guess ? "  " + duration_text(cost->seconds) : "");
    std::cout << "\n";
  });
}

// What was done before is the coordinator's to tell, where there is one.
Past past_for(const GlobalOptions& globals, Told told) {
  if (!has_results(globals)) return {};
  return {
      .trials = {},
      .page_after = [&globals,
                     told](const std::string& after) { return Results(globals).standings_after(after, told); },
      .measured = measured_if_readable([&] { return Results(globals).measured(); }, told_on_stderr(globals)),
      .is_served = chosen_coordinator(globals).has_value()};
}

std::optional<SweepSpec> earlier_sweep(const GlobalOptions& globals, const std::string& name) {
  if (!has_results(globals)) return std::nullopt;
  return Results(globals).spec_if_known(name);
}

// What there is to look at, made ready; nothing of it is printed yet.
struct Planned {
  SweepPlan plan;
  SlotsThere there;
  std::optional<BudgetTaken> budget;
  std::optional<PlanDifference> difference;
  std::vector<ChangedInput> changed{};  // since the sweep was submitted last
};

// Why trials that were done are new: a file has its old name and other content.
std::vector<ChangedInput> changed_since(const std::optional<SweepSpec>& before, const SweepSpec& now) {
  return before ? changed_inputs(before->inputs, Grid(now)) : std::vector<ChangedInput>{};
}

void print_changed(const Planned& planned) {
  for (const ChangedInput& input : planned.changed)
    std::cout << fmt::format("note: {} has other content than when {} was submitted last: {}\n", input.path,
                             planned.plan.spec.name, readers_text(input));
}

Planned planned(const PlanOptions& options, const GlobalOptions& globals) {
  const auto say = [&](const std::string& line) {
    if (!globals.quiet && !globals.json) std::cerr << line << "\n";
  };
  const std::filesystem::path data = data_folder(globals.data_dir);
  SweepSpec spec = chosen_sweep(options.sweep);  // what is wrong with the file is said before anything else
  PreparedSweep sweep =
      selected_sweep(std::move(spec), options.sweep,
                     {.data = data, .coordinator = [&] { return chosen_coordinator(globals); }, .say = say},
                     [&](const std::string& name) { return earlier_sweep(globals, name); });
  const Past past = past_for(globals, told_for(sweep.spec));
  Planned out{.plan = plan_of(std::move(sweep), past)};
  out.there = slots_there(globals, out.plan);
  const TimedSlots slots = timed_slots(out.plan.spec.run, out.there.slots);
  predict(out.plan, past, kept_table(data, slots, say), slots.threads_min(), slots);
  out.budget = take_budget(out.plan, options.sweep, slots.on);
  if (!options.diff.empty())
    out.difference = difference_to(Results(globals).spec(options.diff), out.plan.spec,
                                   out.plan.unreadable.empty() ? Ids::final : Ids::provisional);
  if (options.diff != out.plan.spec.name)  // else the difference says it
    out.changed = changed_since(earlier_sweep(globals, out.plan.spec.name), out.plan.spec);
  return out;
}

Json json_of(const Planned& planned, const PlanOptions& options) {
  Json out = to_json(planned.plan, planned.there);
  out["models"] = models_json(planned.plan);
  if (options.list) out["list"] = trials_json(planned.plan);
  for (const ChangedInput& input : planned.changed)
    out["changed_inputs"].push_back(
        {{"path", input.path}, {"trials", input.trials}, {"evaluated", input.evaluated}});
  if (planned.budget) out["dropped"] = planned.budget->dropped;
  if (planned.difference) out["diff"] = to_json(*planned.difference);
  return out;
}

int run_plan(const PlanOptions& options, const GlobalOptions& globals) {
  const Planned planned = cli::planned(options, globals);
  if (!options.output.empty()) write_plan_file(planned.plan, options.output);
  if (globals.json) {
    std::cout << json_of(planned, options).dump(2) << "\n";
    return kOk;
  }
  std::cout << plan_text(planned.plan, planned.there);
  print_changed(planned);
  print_models(models_json(planned.plan));
  if (planned.budget) std::cout << planned.budget->text;
  if (options.list) print_trials(planned.plan);
  if (planned.difference) std::cout << text_of(*planned.difference);
  if (!options.output.empty() && !globals.quiet)
    std::cerr << fmt::format("wrote {}; `ranktide submit {}` takes it\n", options.output, options.output);
  return kOk;
}

}  // namespace

std::function<int()> setup_plan(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<PlanOptions>();
  add_sweep_options(command, options->sweep);
  command.add_flag("--list", options->list, "one line per trial");
  command.add_option("--diff", options->diff,
                     "how it differs from a sweep that was submitted before, by its name");
  command.add_option("-o,--output", options->output,
                     "write the plan to a file that ends in .jsonl, which `submit` and `run` take");
  CLI::Option* const explain =
      command.add_option("--explain", options->explain, "print where a key's value comes from, and stop");
  command.add_option("--block", options->block, "of one block, with --explain")->needs(explain);
  for (const char* other :
       {"--only", "--list", "--output", "--diff", "--extend", "--budget", "--recompute-numerics"})
    explain->excludes(command.get_option(other));
  return [options, &globals] {
    if (!options->explain.empty())
      return explain_key(options->sweep, options->explain, options->block, globals);
    return run_plan(*options, globals);
  };
}

}  // namespace ranktide::cli
