#include "coordinator/edge/api_commands.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <string_view>

#include "common/net/worker_keys.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_spec.h"
#include "coordinator/edge/store.h"
#include "coordinator/edge/store_mirror.h"
#include "coordinator/edge/submission_look.h"

namespace ranktide {

// What a command is made from.
struct CommandOrder {
  std::string request_id;
  std::string actor;
  bool is_admin = false;
  std::string name;
  const Json& body;
};

struct Command {
  std::string_view collection;
  std::string_view action;  // empty: the collection itself
  Scope scope;
  UserRequest (*request)(const CommandOrder&);
};

namespace {

constexpr size_t kRequestIdBytesMax = 200;
constexpr std::string_view kPrefix = "/api/v1/";

template <class T>
T field(const Json& body, const char* name) {
  if (!body.contains(name)) throw ProtocolError(std::string("\"") + name + "\" is missing");
  T out{};
  read_json(body.at(name), out, name);
  return out;
}

UserRequest submit(const CommandOrder& order) {
  auto spec = field<SweepSpec>(order.body, "spec");
  validate(spec);
  if (const int64_t trials = raw_trials(spec); trials > kTrialsMaxDefault)
    throw SpecError("a coordinator takes sweeps of up to 1,000,000 trials, and this one has " +
                    std::to_string(trials) + "; shorten an axis, or submit it in parts");
  return Submit{
      .request_id = order.request_id,
      .actor = order.actor,
      .is_admin = order.is_admin,
      .spec = std::move(spec),
      .cancel_removed = order.body.contains("cancel_removed") && field<bool>(order.body, "cancel_removed")};
}

constexpr size_t kTrialsNamedMax = 1'000;

// Returns: the trials that the body names; nullopt for the whole sweep.
std::optional<TrialChoice> trials_of(const Json& body) {
  if (!body.contains("trials") && !body.contains("failed")) return std::nullopt;
  TrialChoice out;
  if (body.contains("trials")) out.prefixes = field<std::vector<std::string>>(body, "trials");
  if (body.contains("failed")) out.failed = field<bool>(body, "failed");
  if (out.prefixes.size() > kTrialsNamedMax)
    throw ProtocolError("\"trials\" has at most " + std::to_string(kTrialsNamedMax) + " ids");
  if (out.prefixes.empty() && !out.failed) throw ProtocolError("\"trials\" is empty");
  for (const std::string& prefix : out.prefixes)
    if (prefix.empty()) throw ProtocolError("an id in \"trials\" is empty");
  return out;
}

template <SweepAction action>
UserRequest control(const CommandOrder& order) {
  if (action == SweepAction::cancel || action == SweepAction::retry)
    if (auto trials = trials_of(order.body))
      return ControlTrials{.request_id = order.request_id,
                           .actor = order.actor,
                           .sweep = order.name,
                           .action = action,
                           .trials = std::move(*trials)};
  return ControlSweep{
      .request_id = order.request_id, .actor = order.actor, .sweep = order.name, .action = action};
}

UserRequest set_priority(const CommandOrder& order) {
  return ChangePolicy{.request_id = order.request_id,
                      .actor = order.actor,
                      .sweep = order.name,
                      .priority = field<int>(order.body, "priority")};
}

UserRequest set_max_parallel(const CommandOrder& order) {
  return ChangePolicy{.request_id = order.request_id,
                      .actor = order.actor,
                      .sweep = order.name,
                      .max_parallel = field<int>(order.body, "max_parallel")};
}

UserRequest drain(const CommandOrder& order) {
  return DrainWorker{.request_id = order.request_id, .actor = order.actor, .worker = WorkerName{order.name}};
}

UserRequest revoke(const CommandOrder& order) {
  return RevokeWorker{.request_id = order.request_id, .actor = order.actor, .worker = WorkerName{order.name}};
}

UserRequest forget(const CommandOrder& order) {
  return ForgetWorker{.request_id = order.request_id, .actor = order.actor, .worker = WorkerName{order.name}};
}

constexpr std::array kCommands = {
    Command{"sweeps", "", Scope::submit, submit},
    Command{"sweeps", "pause", Scope::submit, control<SweepAction::pause>},
    Command{"sweeps", "resume", Scope::submit, control<SweepAction::resume>},
    Command{"sweeps", "stop", Scope::submit, control<SweepAction::stop>},
    Command{"sweeps", "cancel", Scope::submit, control<SweepAction::cancel>},
    Command{"sweeps", "retry", Scope::submit, control<SweepAction::retry>},
    Command{"sweeps", "priority", Scope::submit, set_priority},
    Command{"sweeps", "max_parallel", Scope::submit, set_max_parallel},
    Command{"workers", "drain", Scope::admin, drain},
    Command{"workers", "revoke", Scope::admin, revoke},
    Command{"workers", "forget", Scope::admin, forget},
};

std::string request_id_of(const Json& body) {
  auto id = field<std::string>(body, "request_id");
  if (id.empty() || id.size() > kRequestIdBytesMax)
    throw ProtocolError("\"request_id\" has 1 to " + std::to_string(kRequestIdBytesMax) + " bytes");
  return id;
}

struct Respond {
  ApiResponse operator()(const Submitted& s) const {
    Json body{{"number", s.sweep}, {"revision", s.revision}};
    if (!s.away.empty()) body["away"] = to_json(s.away);
    return {.body = body.dump()};
  }
  ApiResponse operator()(const Controlled& c) const { return {.body = Json{{"now", c.now}}.dump()}; }
  ApiResponse operator()(const Rejected& r) const { return failure(409, r.reason); }
};

// Which trials are meant, on the revision that the journal has now. Of another revision, or where the journal
// does not say, the core looks itself.
void look_ahead(ControlTrials& control, const std::filesystem::path& data_folder) {
  if (control.trials.prefixes.empty()) return;
  try {
    const Reader reader(data_folder);
    if (const auto newest = newest_submission(reader, control.sweep)) {
      Sweep sweep{.revision = newest->revision, .grid = Grid(newest->spec)};
      for (const AddedCell& cell : added_cells(reader, *newest)) sweep.add(cell);
      control.trials.looked = look_for(control.trials.prefixes, sweep);
    }
  } catch (const StoreError& error) {
    spdlog::warn("trials are looked for in the turn: {}", error.what());
  } catch (const SpecError&) {  // of a sweep from before such were refused: the core says so
  } catch (const ExpressionError&) {
  }
}

// By its key, by what it did, or as one that this very request has forgotten.
bool is_known(const ForgetWorker& forget, const std::filesystem::path& data_folder) {
  for (const WorkerKey& key : WorkerKeys(data_folder / "keys" / "workers").all())
    if (key.worker == forget.worker) return true;
  constexpr const char* kKnown =
      "SELECT 1 FROM worker WHERE name=?1 AND state<>'forgotten' UNION ALL"
      " SELECT 1 FROM event WHERE kind='WorkerForgotten' AND subject=?1 AND message=?2";
  const std::string asked = by(forget.actor, forget.request_id);
  return !Reader(data_folder).select(kKnown, {forget.worker.text, asked}).rows.empty();
}

ApiResponse no_worker(const std::string& name) {
  return failure(404, "no worker named \"" + name + "\"; `ranktide worker list` names them");
}

// The key is taken once the worker is forgotten for good; where that cannot be, nothing is to be forgotten.
std::optional<ApiResponse> why_not_forget(const ForgetWorker& forget,
                                          const std::filesystem::path& data_folder) {
  const std::string& name = forget.worker.text;
  try {
    if (!is_known(forget, data_folder)) return no_worker(name);
    require_forgettable(data_folder / "keys" / "workers", forget.worker);
  } catch (const KeyError& error) {
    return failure(409, "worker " + name + " is not forgotten, for its key must go with it: " + error.what());
  }
  return std::nullopt;
}

}  // namespace

Scope CommandTarget::scope() const {
  return command->scope;
}

std::optional<CommandTarget> find_command(const std::string& path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  const std::string rest = path.substr(kPrefix.size());
  const size_t first = rest.find('/');
  const size_t last = rest.rfind('/');
  if (first != std::string::npos && first == last) return std::nullopt;  // a name without an action
  const std::string collection = rest.substr(0, first);
  const std::string action = last == std::string::npos ? "" : rest.substr(last + 1);
  const std::string name = last == std::string::npos ? "" : rest.substr(first + 1, last - first - 1);
  if (name.find('/') != std::string::npos || (first != std::string::npos && name.empty())) return std::nullopt;
  const auto found = std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) {
    return c.collection == collection && c.action == action && c.action.empty() == name.empty();
  });
  if (found == kCommands.end()) return std::nullopt;
  return CommandTarget{.command = &*found, .name = name};
}

std::variant<UserRequest, ApiResponse> read_command(const CommandTarget& target, const std::string& text,
                                                    const Caller& caller) {
  try {
    const Json body = parse_json(text);
    if (!body.is_object()) throw ProtocolError("the body must be a JSON object");
    return target.command->request({.request_id = request_id_of(body),
                                    .actor = caller.name,
                                    .is_admin = caller.scope == Scope::admin,
                                    .name = target.name,
                                    .body = body});
  } catch (const ProtocolError& wrong) {
    return failure(400, wrong.what());
  } catch (const SpecError& wrong) {
    return failure(400, wrong.what());
  }
}

std::optional<ApiResponse> refuse_command(const CommandTarget& target, const Caller& caller,
                                          const LivePicture& picture) {
  if (target.name.empty()) return std::nullopt;
  // The table of keys knows those never heard.
  if (target.command->action == "revoke" || target.command->action == "forget") return std::nullopt;
  if (target.command->collection == "workers") {
    const bool is_known = std::any_of(picture.workers.begin(), picture.workers.end(),
                                      [&](const WorkerPicture& w) { return w.name.text == target.name; });
    return is_known ? std::nullopt : std::optional(no_worker(target.name));
  }
  const auto sweep = std::find_if(picture.sweeps.begin(), picture.sweeps.end(),
                                  [&](const SweepPicture& s) { return s.name == target.name; });
  if (sweep == picture.sweeps.end())
    return failure(404, "no sweep named \"" + target.name + "\"; `ranktide status` lists them");
  if (caller.scope != Scope::admin && sweep->owner != caller.name)
    return failure(403, "sweep \"" + target.name + "\" belongs to " + sweep->owner +
                            "; only its owner and a token of scope admin may change it");
  return std::nullopt;
}

std::optional<ApiResponse> prepare(UserRequest& request, const std::filesystem::path& data_folder) {
  if (auto* submission = std::get_if<Submit>(&request)) {
    const auto refused = look_ahead(*submission, data_folder);
    return refused ? std::optional(failure(409, *refused)) : std::nullopt;
  }
  if (auto* control = std::get_if<ControlTrials>(&request)) look_ahead(*control, data_folder);
  if (const auto* forget = std::get_if<ForgetWorker>(&request)) return why_not_forget(*forget, data_folder);
  const auto* revoke = std::get_if<RevokeWorker>(&request);
  if (!revoke) return std::nullopt;
  try {
    revoke_worker(data_folder / "keys" / "workers", revoke->worker);
  } catch (const UnknownWorker& unknown) {
    return failure(404, unknown.what());
  } catch (const KeyError& error) {
    return failure(500, error.what());
  }
  return std::nullopt;
}

ApiResponse response_of(const std::variant<Answer, Unavailable>& heard) {
  if (const auto* unavailable = std::get_if<Unavailable>(&heard)) return failure(503, unavailable->reason);
  return std::visit(Respond{}, std::get<Answer>(heard));
}

}  // namespace ranktide
