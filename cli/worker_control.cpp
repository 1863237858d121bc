#include "cli/worker_control.h"

#include <fmt/format.h>
#include <iostream>
#include <map>
#include <set>

#include "cli/coordinator_choice.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/request.h"
#include "common/net/worker_keys.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/query_workers.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

// The coordinator answers where one serves the folder, else the folder does.
std::vector<WorkerStatus> known_workers(const fs::path& data) {
  const auto client = client_of_folder(data);
  const auto answer = client ? client->get("/api/v1/workers") : std::nullopt;
  if (answer) return from_json<std::vector<WorkerStatus>>(parse_json(body_of(*answer)));
  return fs::exists(database_file(data)) ? all_workers(Reader(data)) : std::vector<WorkerStatus>{};
}

// Enrolled ones that never said a word stand in the table of keys only.
std::vector<WorkerStatus> all_known(const fs::path& data) {
  std::vector<WorkerStatus> out = known_workers(data);
  std::set<std::string> names;
  for (const WorkerStatus& worker : out) names.insert(worker.name);
  for (const WorkerKey& key : WorkerKeys(data / "keys" / "workers").all())
    if (!key.revoked && names.insert(key.worker.text).second)
      out.push_back({.name = key.worker.text, .state = "enrolled"});
  return out;
}

// Of a coordinator elsewhere, those that it has heard: its table of keys is its own.
std::vector<WorkerStatus> workers_of(const GlobalOptions& globals) {
  if (const auto named = named_coordinator(globals))
    return from_json<std::vector<WorkerStatus>>(parse_json(get_body(*named, "/api/v1/workers")));
  return all_known(data_folder(globals.data_dir));
}

// Returns: such as "2 x NVIDIA H100 80GB +nvlink".
std::string slots_text(const std::vector<Slot>& slots) {
  std::map<std::string, int> kinds;
  for (const Slot& slot : slots) {
    std::string kind = slot.model.empty() ? slot.device : slot.model;
    for (const std::string& label : slot.labels) kind += " +" + label;
    ++kinds[kind];
  }
  std::string out;
  for (const auto& [kind, count] : kinds) out += fmt::format("{}{} x {}", out.empty() ? "" : ", ", count, kind);
  return out.empty() ? "-" : out;
}

int list_workers(const GlobalOptions& globals) {
  const std::vector<WorkerStatus> workers = workers_of(globals);
  if (globals.json) {
    std::cout << to_json(workers).dump(2) << "\n";
    return kOk;
  }
  for (const WorkerStatus& worker : workers)
    std::cout << fmt::format("{:<24} {:<9} {:>3} running  {:<24}  ranktide {}  since {}\n", worker.name,
                             worker.state, worker.running, slots_text(worker.slots),
                             worker.version.empty() ? "-" : worker.version,
                             worker.departed_at.value_or(worker.joined_at.empty() ? "-" : worker.joined_at));
  return kOk;
}

int drain(const std::string& name, const GlobalOptions& globals) {
  const std::string target = "/api/v1/workers/" + percent_encode(name) + "/drain";
  const Json now =
      post_command(require_coordinator(globals), target, {{"request_id", fresh_request_id("drain")}});
  if (globals.json)
    std::cout << now.dump(2) << "\n";
  else if (!globals.quiet)
    std::cerr << now.value("now", "") << "\n";
  return kOk;
}

// By the file alone: a coordinator that serves the folder cuts the worker within a second, one that does not
// does so when it starts.
int revoke(const std::string& name, const GlobalOptions& globals) {
  if (named_coordinator(globals))
    throw CommandError(kUsage,
                       "keys are revoked on the coordinator's own machine, where their table lies: there, "
                       "`ranktide worker revoke " +
                           name + "`; from here, `ranktide worker drain " + name + "` stops it");
  const fs::path table = data_folder(globals.data_dir) / "keys" / "workers";
  int revoked = 0;
  try {
    revoked = revoke_worker(table, WorkerName{name});
  } catch (const KeyError& error) {
    throw CommandError(kNotFound, error.what());
  }
  if (!globals.quiet)
    std::cerr << fmt::format("{}: {} key(s) revoked; what it ran is given to others\n", name, revoked);
  return kOk;
}

}  // namespace

std::function<std::optional<int>()> setup_worker_control(CLI::App& worker, const GlobalOptions& globals) {
  const auto name = std::make_shared<std::string>();
  auto* const listing = worker.add_subcommand("list", "workers, where they stand and what runs on them");
  auto* const draining = worker.add_subcommand("drain", "have a worker checkpoint and give back what it runs");
  draining->add_option("worker", *name, "its name")->required();
  auto* const revoking = worker.add_subcommand("revoke", "cut a worker at once and never let its key in again");
  revoking->add_option("worker", *name, "its name")->required();
  return [=, &globals]() -> std::optional<int> {
    if (listing->parsed()) return list_workers(globals);
    if (draining->parsed()) return drain(*name, globals);
    if (revoking->parsed()) return revoke(*name, globals);
    return std::nullopt;
  };
}

}  // namespace ranktide::cli
