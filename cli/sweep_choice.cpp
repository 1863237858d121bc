#include "cli/sweep_choice.h"

#include "cli/at_least.h"
#include "cli/plan_file.h"
#include "common/sweep/grid.h"
#include "common/sweep/overrides.h"
#include "common/sweep/sweep_yaml.h"
#include "common/vocabulary/numerics.h"

namespace ranktide::cli {
namespace {

std::string single_quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::vector<std::string> overrides_of(const SweepChoice& choice) {
  std::vector<std::string> out = choice.overrides;
  if (choice.recompute_numerics) out.push_back("engine.numerics=" + std::to_string(kNumericsVersion));
  return out;
}

// A plan is what somebody has looked at, so that nothing is changed in it.
SweepSpec planned_sweep(const SweepChoice& choice) {
  if (!choice.overrides.empty() || !choice.only.empty() || choice.recompute_numerics)
    throw SpecError(
        choice.file +
        ": a plan is taken as it is; write what is to be changed behind the sweep file, and plan again");
  return read_plan_file(choice.file).spec;
}

}  // namespace

void add_sweep_options(CLI::App& command, SweepChoice& choice) {
  command.add_option("file", choice.file, "sweep file, or plan.jsonl of `plan -o`; - reads standard input")
      ->required();
  command.add_option("overrides", choice.overrides, "settings to change: train.lr=1e-4, lora:lora.rank=4,8");
  command
      .add_option("--only", choice.only,
                  "take a part: block=lora,full or an expression such as 'rank >= 16'; repeatable")
      ->allow_extra_args(false);
  command.add_option("--max-trials", choice.max_trials, "refuse a grid that is larger; 50,000,000 at most")
      ->check(at_least(1))
      ->capture_default_str();
  command.add_flag("--recompute-numerics", choice.recompute_numerics,
                   "set engine.numerics to " + std::to_string(kNumericsVersion) +
                       ", this version's, so that results of other versions are computed again");
  command.add_flag("--extend", choice.extend,
                   "keep all that the sweep of this name lists, and add what is new in the file");
  command.add_option("--budget", choice.budget,
                     "take whole cells, in file order, that fit so many hours of slots: 20h, 20gpuh, 20cpuh");
}

void add_removal_option(CLI::App& command, SweepChoice& choice) {
  command
      .add_flag("--cancel-removed", choice.cancel_removed,
                "cancel what runs of trials that the sweep of this name lists no more; default: it finishes")
      ->excludes(command.get_option("--extend"));
}

SweepSpec chosen_sweep(const SweepChoice& choice) {
  if (is_plan_file(choice.file)) return planned_sweep(choice);
  SweepSpec spec = read_sweep(choice.file, overrides_of(choice), choice.max_trials);
  for (const std::string& part : choice.only) keep_only(spec, part);
  const bool is_counted = !choice.only.empty() || raw_trials(spec) <= kCountedEarlyMax;
  if (is_counted && trial_count(spec, Grid(spec).counts()) == 0)
    throw SpecError(choice.file + ": --only leaves no trial; `ranktide plan` without it shows what there is");
  return spec;
}

std::string command_line_of(const SweepChoice& choice) {
  std::string out = choice.file;
  for (const std::string& setting : choice.overrides) out += " " + single_quoted(setting);
  for (const std::string& part : choice.only) out += " --only " + single_quoted(part);
  if (choice.recompute_numerics) out += " --recompute-numerics";
  if (choice.extend) out += " --extend";
  if (!choice.budget.empty()) out += " --budget " + choice.budget;
  if (choice.max_trials != kTrialsMaxDefault) out += " --max-trials " + std::to_string(choice.max_trials);
  return out;
}

}  // namespace ranktide::cli
