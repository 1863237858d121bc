// `ranktide submit`: a sweep file handed to a coordinator, which runs it on whatever workers it has.

#include <fmt/format.h>
#include <iostream>

#include "cli/at_least.h"
#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/device_table.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/patient_client.h"
#include "cli/plan_difference.h"
#include "cli/remote_watch.h"
#include "cli/request.h"
#include "cli/results.h"
#include "cli/slots_there.h"
#include "cli/sweep_choice.h"
#include "cli/sweep_selection.h"
#include "cli/upload.h"
#include "common/sweep/grid.h"
#include "common/sweep/warm_start.h"
#include "coordinator/core/warm_sources.h"
#include "coordinator/edge/api.h"

namespace ranktide::cli {
namespace {

struct SubmitOptions {
  SweepChoice sweep;
  std::string request_id;
  std::optional<int> priority;
  std::optional<int> max_parallel;
  std::optional<double> wait;  // seconds; 0: however long it takes
  bool is_dry = false;
  int upload_max_mib = static_cast<int>(kUploadFileBytesMax >> 20);
};

std::optional<SweepSpec> submitted_before(const GlobalOptions& globals, const std::string& name) {
  return has_results(globals) ? Results(globals).spec_if_known(name) : std::nullopt;
}

// The part that --budget has room for, by what the coordinator's finished trials took, or this machine's
// products where its workers are of the same processor.
void take_affordable(PreparedSweep& sweep, const SubmitOptions& options, const GlobalOptions& globals) {
  if (options.sweep.budget.empty()) return;
  Past past;
  if (has_results(globals))
    past = {
        .trials = {},
        .page_after = [&globals, told = told_for(sweep.spec)](
                          const std::string& after) { return Results(globals).standings_after(after, told); },
        .measured = measured_if_readable([&] { return Results(globals).measured(); }, told_on_stderr(globals)),
        .is_served = true};
  SweepPlan plan = plan_of(sweep, past);
  const TimedSlots slots = timed_slots(sweep.spec.run, slots_there(globals, plan).slots);
  const auto table = kept_table(data_folder(globals.data_dir), slots, told_on_stderr(globals));
  predict(plan, past, table, slots.threads_min(), slots);
  const auto taken = take_budget(plan, options.sweep, slots.on);
  if (!globals.quiet) std::cerr << taken->text;
  sweep.spec = std::move(plan.spec);
}

PreparedSweep submission_of(const SubmitOptions& options, const GlobalOptions& globals) {
  SweepSpec spec = chosen_sweep(options.sweep);
  if (options.priority) spec.run.priority = *options.priority;
  if (options.max_parallel) spec.run.max_parallel = *options.max_parallel;
  PreparedSweep sweep =
      selected_sweep(std::move(spec), options.sweep,
                     {.data = data_folder(globals.data_dir),
                      .coordinator = [&] { return chosen_coordinator(globals); },
                      .say = told_on_stderr(globals)},
                     [&](const std::string& name) { return submitted_before(globals, name); });
  require_inputs(sweep);
  take_affordable(sweep, options, globals);
  return sweep;
}

int wait_for(const PatientClient& client, const std::string& sweep, const SubmitOptions& options,
             const GlobalOptions& globals) {
  std::optional<std::chrono::steady_clock::time_point> until;
  if (*options.wait > 0)
    until = std::chrono::steady_clock::now() +
            std::chrono::milliseconds(static_cast<int64_t>(*options.wait * 1000));
  return exit_code_of(watch(client, sweep, globals, until));
}

// A notice is not in the way of what it speaks of.
void tell_new_revision(PatientClient& client, const SweepSpec& spec, Removed removed) {
  const std::string target = "/api/v1/spec?sweep=" + percent_encode(spec.name);
  try {
    const auto answer = client.ask_once([&](const HttpClient& asked) { return asked.get(target); });
    if (!answer || answer->status == 404) return;  // a new sweep, or a coordinator of before
    std::cerr << revision_notice(from_json<SweepSpec>(parse_json(body_of(*answer))), spec, removed);
  } catch (const std::exception& e) {
    std::cerr << "note: what is new against the earlier revision cannot be told: " << e.what() << "\n";
  }
}

std::string away_text(const AwaySource& source) {
  return fmt::format(
      "note: {} {}: only worker {} has its weights, and is away: what starts from it waits. Start that worker "
      "again, with its name and folder, or start from a trial whose worker is here (`ranktide worker list`)\n",
      kSourceKey, source.from, source.worker.text);
}

int submit(const SubmitOptions& options, const GlobalOptions& globals) {
  const PreparedSweep sweep = submission_of(options, globals);
  const SweepSpec& spec = sweep.spec;
  const int64_t trials = trial_count(spec, Grid(spec).counts());
  if (options.is_dry) {
    if (globals.json)
      std::cout << Json{{"sweep", spec.name}, {"trials", trials}, {"submitted", false}}.dump(2) << "\n";
    else
      std::cerr << fmt::format("{}: {} trials; nothing was submitted\n", spec.name, trials);
    return kOk;
  }
  PatientClient client(globals, {.say = told_on_stderr(globals)});
  upload_inputs(client, sweep.read, sweep.elsewhere, int64_t{options.upload_max_mib} << 20,
                told_on_terminal(globals, "sending"));
  const bool cancels = options.sweep.cancel_removed;
  if (!globals.quiet) tell_new_revision(client, spec, cancels ? Removed::are_cancelled : Removed::finish);
  const std::string id = options.request_id.empty() ? fresh_request_id("submit") : options.request_id;
  Json body{{"request_id", id}, {"spec", to_json(spec)}};
  if (cancels) body["cancel_removed"] = true;
  Json answer = parse_json(
      body_of(client.ask([&](const HttpClient& asked) { return asked.post("/api/v1/sweeps", body); }).value()));
  answer["sweep"] = spec.name;
  answer["trials"] = trials;
  if (globals.json) std::cout << answer.dump(2) << "\n";
  for (const AwaySource& source : from_json<std::vector<AwaySource>>(answer.value("away", Json::array())))
    std::cerr << away_text(source);
  if (!globals.quiet)
    std::cerr << fmt::format("Submitted {} to {}: {} trials, revision {}.  Watch: ranktide watch {}\n",
                             spec.name, client.url(), trials, answer.value("revision", 1), spec.name);
  return options.wait ? wait_for(client, spec.name, options, globals) : kOk;
}

}  // namespace

std::function<int()> setup_submit(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<SubmitOptions>();
  add_sweep_options(command, options->sweep);
  add_removal_option(command, options->sweep);
  command.add_option("--priority", options->priority, "higher goes first; default: the file's");
  command.add_option("--max-parallel", options->max_parallel, "slots at a time")->check(at_least(1));
  command
      .add_option(
          "--wait", options->wait,
          "stay until it has ended, at most so many seconds; exit 6: trials or evals failed, 7: time was up")
      ->expected(0, 1)
      ->default_str("0");
  command.add_option("--request-id", options->request_id,
                     "makes the submission safe to repeat from a script: the same id is done once");
  command
      .add_option("--upload-max", options->upload_max_mib,
                  "MiB of a file that is sent to the coordinator, where it has not got it; 0: none is sent")
      ->check(at_least(0))
      ->capture_default_str();
  command.add_flag("-n,--dry-run", options->is_dry, "read, check and count; submit nothing");
  return [options, &globals] { return submit(*options, globals); };
}

}  // namespace ranktide::cli
