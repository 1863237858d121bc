// `ranktide run`: everything in one process tree, from a sweep file to the table of what was learned and
// forgotten.

#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <iostream>
#include <random>
#include <spdlog/spdlog.h>
#include <thread>

#include "cli/command.h"
#include "cli/device_table.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/interrupt.h"
#include "cli/local_cluster.h"
#include "cli/plan_difference.h"
#include "cli/plan_text.h"
#include "cli/remote_watch.h"
#include "cli/report_file.h"
#include "cli/slots_there.h"
#include "cli/sweep_choice.h"
#include "cli/sweep_selection.h"
#include "cli/sweep_watch.h"
#include "cli/version.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_spec.h"
#include "coordinator/edge/query_status.h"
#include "coordinator/edge/report.h"
#include "coordinator/edge/store.h"
#include "coordinator/edge/store_folder.h"
#include "worker/daemon/devices.h"

namespace ranktide::cli {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

struct RunOptions {
  SweepChoice sweep;
  int slots = 0;
  int threads_per_slot = 1;
};

SlotsThere slots_of(const RunOptions& options, const SweepPlan& plan) {
  if (options.slots == 0) return slots_here(plan, options.threads_per_slot);
  return {.slots = cpu_slots(measure_node(), options.threads_per_slot, options.slots)};
}

// Every start is a request of its own: the coordinator finds an equal spec by itself, and must see a file that
// was changed and changed back, or one whose failed trials are wanted again.
void submit(CoordinatorService& coordinator, const SweepPlan& plan, const RunOptions& options) {
  std::random_device chance;
  const std::string request_id = fmt::format("run:{:08x}{:08x}", chance(), chance());
  const Answer answer = coordinator.submit(
      {.request_id = request_id, .spec = plan.spec, .cancel_removed = options.sweep.cancel_removed});
  if (const auto* rejected = std::get_if<Rejected>(&answer)) throw CommandError(kUsage, rejected->reason);
}

enum class WatchEnd { finished, worker_gone, stuck };

// On one machine no larger worker will come, so waiting for a slot that fits is an end, too.
WatchEnd watch(LocalCluster& cluster, const Interrupt& interrupt, SweepWatch& sweep) {
  int said = 0;
  while (!sweep.refresh(cluster.coordinator().live())) {
    if (interrupt.count() == 1 && said++ == 0)
      sweep.drawing().say("stopping: running trials write a checkpoint; Ctrl-C again ends at once");
    if (cluster.worker().has_ended()) return WatchEnd::worker_gone;
    if (!sweep.stuck().empty()) return WatchEnd::stuck;
    std::this_thread::sleep_for(250ms);
  }
  return WatchEnd::finished;
}

// One line per reason, because a grid that fails mostly fails everywhere for the same one.
void print_failures(const Reader& reader, const std::string& sweep) {
  for (const FailureReason& reason : failure_reasons(reader, sweep))
    std::cerr << fmt::format("failed: {} trial(s){}: {}; see `ranktide logs {}`\n", reason.trials,
                             reason.is_one_text ? "" : ", one of them",
                             reason.message.empty() ? "no reason was recorded" : reason.message,
                             reason.trial.substr(0, 12));
}

int show_results(const RunOptions& options, const GlobalOptions& globals, const fs::path& data,
                 const std::string& sweep) {
  const Reader reader(data);
  const fs::path report = default_report_file(data, sweep);
  write_report(report_html(reader, {.sweep = sweep,
                                    .command = "ranktide run " + command_line_of(options.sweep),
                                    .program_version = kVersion}),
               report);
  const Frame frame = query(reader, {.sweeps = {sweep}});
  std::cout << print(frame, globals.json ? FrameFormat::json : FrameFormat::table);
  if (!globals.quiet) std::cerr << "report: " << report.string() << "\n";
  print_failures(reader, sweep);
  const SweepStatus status = sweep_status(reader, sweep).value();
  if (status.failed_evals) std::cerr << failed_evals_text(*status.failed_evals) << "\n";
  return has_failures(status) ? kTrialsFailed : kOk;
}

using Say = std::function<void(const std::string&)>;

// A short sweep is over before its times are known better.
constexpr double kWorthMeasuringSeconds = 300;

// Times by this machine's products, measured once where they are not known and the sweep is long. They are for
// people: a machine that cannot be measured trains all the same.
void predict_with_products(SweepPlan& plan, const Past& past, const fs::path& data, const RunOptions& options,
                           const Say& say) {
  const int threads = options.threads_per_slot;
  const TimedSlots slots = timed_slots(plan.spec.run, slots_of(options, plan).slots);
  const auto table = kept_table(data, threads, say);
  predict(plan, past, table, threads, slots);
  const bool is_long = plan.estimate && plan.left() > 0 &&
                       makespan_of(plan, slots_of(options, plan)).seconds > kWorthMeasuringSeconds;
  if (table || (!is_long && options.sweep.budget.empty())) return;
  if (plan.estimate && plan.estimate->basis == TimeBasis::trials && !is_long) return;  // better than products
  say("measuring this machine's products once (10 s)");
  bool is_measured = false;
  try {
    const ProductTable fresh = measured_table(trainer_program(), threads);
    predict(plan, past, fresh, threads, slots);
    is_measured = true;
    keep_table(data, fresh);
  } catch (const CommandError& failure) {
    say(fmt::format("{}; {}", failure.what(),
                    is_measured ? "the next run measures again" : "times stay a first guess"));
  }
}

// Asked before the minutes that reading the inputs may take: whether the folder is free, and its database one
// that this program reads; one of an older version is brought up to date here, before it is read.
void claim(const fs::path& data) {
  make_data_folder(data);
  if (fs::exists(database_file(data)))
    Store{data, Store::Open::existing};
  else
    FolderLock{data};
}

void say_fewer_slots(const RunOptions& options, const Say& say) {
  const NodeCapacity node = measure_node();
  const std::vector<Slot> made = cpu_slots(node, options.threads_per_slot, options.slots);
  if (const std::string notice = fewer_slots_notice(node, made, options.slots); !notice.empty()) say(notice);
}

// Returns: the newest revision of the sweep of that name in the folder.
std::optional<SweepSpec> submitted_before(const fs::path& data, const std::string& name) {
  if (!fs::exists(database_file(data))) return std::nullopt;
  auto newest = newest_submission(Reader(data), name);
  return newest ? std::optional(std::move(newest->spec)) : std::nullopt;
}

// A notice is not in the way of what it speaks of.
void say_new_revision(const SweepSpec& spec, Removed removed, const fs::path& data, const Say& say) {
  try {
    const auto old = submitted_before(data, spec.name);
    const std::string notice = old ? revision_notice(*old, spec, removed) : "";
    if (!notice.empty()) say(notice);
  } catch (const std::exception& e) {
    say(fmt::format("note: what is new against the earlier revision cannot be told: {}", e.what()));
  }
}

// Everything that is decided before the first process starts.
SweepPlan planned_run(SweepSpec spec, const RunOptions& options, const fs::path& data, const Say& say) {
  claim(data);
  PreparedSweep sweep = selected_sweep(std::move(spec), options.sweep, {.data = data, .say = say},
                                       [&](const std::string& name) { return submitted_before(data, name); });
  require_inputs(sweep);
  const Past past = past_of(data, told_for(sweep.spec), say);
  SweepPlan plan = plan_of(std::move(sweep), past);
  predict_with_products(plan, past, data, options, say);
  const auto budget = take_budget(plan, options.sweep, plan.timing->slots.on);
  say_fewer_slots(options, say);
  say(plan_text(plan, slots_of(options, plan)));
  if (budget) say(budget->text);
  say_new_revision(plan.spec, options.sweep.cancel_removed ? Removed::are_cancelled : Removed::finish, data,
                   say);
  return plan;
}

int run_sweep(const RunOptions& options, const GlobalOptions& globals) {
  const fs::path data = data_folder(globals.data_dir);
  SweepSpec spec = chosen_sweep(options.sweep);
  const fs::path trainer = trainer_program();
  const auto say = [&](const std::string& line) {
    if (!globals.quiet) std::cerr << line << "\n";
  };
  const SweepPlan plan = planned_run(std::move(spec), options, data, say);
  const auto slots = static_cast<int>(slots_of(options, plan).slots.size());
  spdlog::set_level(spdlog::level::warn);  // what goes well is in the live view
  LocalCluster cluster(data, trainer, slots, options.threads_per_slot);
  const Interrupt interrupt(cluster.worker());
  submit(cluster.coordinator(), plan, options);
  SweepWatch sweep(data, plan, globals);
  const WatchEnd end = watch(cluster, interrupt, sweep);
  cluster.end();
  sweep.drawing().close();
  if (end == WatchEnd::stuck)
    throw CommandError(kFailed, fmt::format("{}\nhint: `ranktide query {}` shows what has ended", sweep.stuck(),
                                            plan.spec.name));
  if (end == WatchEnd::worker_gone && interrupt.count() == 0)
    throw CommandError(kFailed, "the worker ended by itself; its last message says why");
  if (end == WatchEnd::worker_gone) {
    say("interrupted; the same command goes on from the checkpoints");
    return kInterrupted;
  }
  return show_results(options, globals, data, plan.spec.name);
}

}  // namespace

std::function<int()> setup_run(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<RunOptions>();
  add_sweep_options(command, options->sweep);
  add_removal_option(command, options->sweep);
  command.add_option("--slots", options->slots, "trials at once; default: as cores, trials and memory allow")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--threads-per-slot", options->threads_per_slot,
                  "threads of a trial; results are bit-equal at equal threads only")
      ->check(CLI::Range(1, 1024));
  return [options, &globals] { return run_sweep(*options, globals); };
}

}  // namespace ranktide::cli
