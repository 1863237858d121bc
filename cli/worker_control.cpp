#include "cli/worker_control.h"

#include <fmt/format.h>
#include <iostream>
#include <map>
#include <set>

#include "cli/consent.h"
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

constexpr std::chrono::seconds kHangs{5};

// The coordinator answers where one serves the folder, else the folder does.
std::vector<WorkerStatus> known_workers(const fs::path& data) {
  if (const auto body = body_of_folder(data, "/api/v1/workers"))
    return from_json<std::vector<WorkerStatus>>(parse_json(*body));
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

Json post_to_worker(const HttpClient& coordinator, const std::string& name, const std::string& action) {
  const std::string target = "/api/v1/workers/" + percent_encode(name) + "/" + action;
  return post_command(coordinator, target, {{"request_id", fresh_request_id(action)}});
}

int tell(const HttpClient& coordinator, const std::string& name, const std::string& action,
         const GlobalOptions& globals) {
  const Json now = post_to_worker(coordinator, name, action);
  if (globals.json)
    std::cout << now.dump(2) << "\n";
  else if (!globals.quiet)
    std::cerr << now.value("now", "") << "\n";
  return kOk;
}

// Returns: what is so now. A worker that left after the list was read keeps nobody from telling the others.
std::string drained(const HttpClient& coordinator, const std::string& name) {
  try {
    return post_to_worker(coordinator, name, "drain").value("now", "");
  } catch (const CommandError& gone) {
    if (gone.code == kUnreachable || gone.code == kNotAuthorised) throw;
    return gone.what();
  }
}

int drain_all(const GlobalOptions& globals) {
  const HttpClient coordinator = require_coordinator(globals);
  Json told = Json::array();
  for (const auto& worker :
       from_json<std::vector<WorkerStatus>>(parse_json(get_body(coordinator, "/api/v1/workers")))) {
    if (worker.state != "joined") continue;
    const std::string now = drained(coordinator, worker.name);
    told.push_back({{"worker", worker.name}, {"now", now}});
    if (!globals.json && !globals.quiet) std::cerr << now << "\n";
  }
  if (told.empty()) throw CommandError(kNotFound, "no worker is joined at " + coordinator.url());
  if (globals.json) std::cout << told.dump(2) << "\n";
  return kOk;
}

// Returns: the coordinator that serves the folder, if it answers us. One that hangs must not keep a worker in:
// it sees the table once it goes on.
std::optional<HttpClient> serving(const fs::path& data) {
  const auto client = client_of_folder(data);
  if (!client) return std::nullopt;
  try {
    const auto answer = client->within(kHangs).get("/api/v1/workers");
    return answer && answer->status == 200 ? client : std::nullopt;
  } catch (const CommandError&) {  // silent, or cut off
    return std::nullopt;
  }
}

// Whoever may write the table of keys may revoke without asking: a coordinator that serves the folder sees it
// within a second, one that starts later at its start. Asked, it also notes who it was.
int revoke(const std::string& name, const GlobalOptions& globals) {
  if (const auto named = named_coordinator(globals)) return tell(*named, name, "revoke", globals);
  const fs::path data = data_folder(globals.data_dir);
  if (const auto here = serving(data)) return tell(*here, name, "revoke", globals);
  const fs::path table = data / "keys" / "workers";
  int revoked = 0;
  try {
    revoked = revoke_worker(table, WorkerName{name});
  } catch (const KeyError& error) {
    throw CommandError(kNotFound, error.what());
  }
  const std::string now = fmt::format("{}: {} key(s) revoked; what it ran is given to others", name, revoked);
  if (globals.json)
    std::cout << Json{{"now", now}}.dump(2) << "\n";
  else if (!globals.quiet)
    std::cerr << now << "\n";
  return kOk;
}

// Before the word it is where a worker's link is; nothing that was said is ignored.
void refuse_misplaced(const CLI::App& worker, const CLI::App& word) {
  if (worker.count("--coordinator") > 0)
    throw CommandError(kUsage, "--coordinator before `" + word.get_name() +
                                   "` is a worker's link; put the URL behind: " + "ranktide worker " +
                                   word.get_name() + " --coordinator http://HOST:PORT");
}

}  // namespace

std::function<std::optional<int>()> setup_worker_control(CLI::App& worker, const GlobalOptions& globals) {
  const auto name = std::make_shared<std::string>();
  const auto is_sure = std::make_shared<bool>(false);
  auto* const listing = worker.add_subcommand("list", "workers, where they stand and what runs on them");
  auto* const draining = worker.add_subcommand("drain", "have a worker checkpoint and give back what it runs");
  draining->add_option("worker", *name, "its name; all: every one that is joined")->required();
  auto* const revoking = worker.add_subcommand("revoke", "cut a worker at once and never let its key in again");
  revoking->add_option("worker", *name, "its name")->required();
  revoking->add_flag("--yes", *is_sure, "do not ask");
  auto* const forgetting =
      worker.add_subcommand("forget", "take a worker that is away off the list, with its key");
  forgetting->add_option("worker", *name, "its name")->required();
  forgetting->add_flag("--yes", *is_sure, "do not ask");
  return [=, &worker, &globals]() -> std::optional<int> {
    for (const CLI::App* word : {listing, draining, revoking, forgetting})
      if (word->parsed()) refuse_misplaced(worker, *word);
    if (listing->parsed()) return list_workers(globals);
    if (draining->parsed() && *name == kEveryWorker) return drain_all(globals);
    if (draining->parsed()) return tell(require_coordinator(globals), *name, "drain", globals);
    if (forgetting->parsed()) {
      require_consent("forget worker " + *name + " and its key?", *is_sure, "nothing was forgotten");
      return tell(require_coordinator(globals), *name, "forget", globals);
    }
    if (!revoking->parsed()) return std::nullopt;
    require_consent("revoke the key of " + *name + " for good and give what it runs to others?", *is_sure,
                    "nothing was revoked; `ranktide worker drain " + *name + "` stops it for now");
    return revoke(*name, globals);
  };
}

}  // namespace ranktide::cli
