#include "coordinator/core/coordinator.h"

#include <algorithm>
#include <utility>

#include "common/vocabulary/check.h"
#include "coordinator/core/scheduler.h"

namespace ranktide {
namespace {

// A Wake this much later than its deadline means that the process stood still, not that workers were silent.
constexpr Duration kDeafAfter{1'000};
constexpr size_t kSlotsMax = 1'024;  // of one worker
constexpr size_t kWordBytesMax = 256;

// Printable ASCII: the journal is JSON and would keep other bytes otherwise than the state does.
bool is_plain(const std::string& word) {
  return word.size() <= kWordBytesMax &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_sound(const Hello& hello) {
  std::set<int> indices;
  for (const Slot& slot : hello.slots) {
    indices.insert(slot.index);
    if (!is_plain(slot.device) || !is_plain(slot.processor)) return false;
  }
  return !hello.boot.empty() && is_plain(hello.boot) && is_plain(hello.version) &&
         hello.slots.size() <= kSlotsMax && indices.size() == hello.slots.size();
}

bool is_sound(const std::vector<DeviceUse>& devices) {
  return devices.size() <= kSlotsMax &&
         std::all_of(devices.begin(), devices.end(), [](const DeviceUse& d) { return is_plain(d.device); });
}

bool is_past(const Worker& worker, const std::string& boot) {
  return std::find(worker.past_boots.begin(), worker.past_boots.end(), boot) != worker.past_boots.end();
}

bool names(const Hello& hello, const Lease& lease) {
  return std::any_of(hello.held.begin(), hello.held.end(), [&](const Held& h) { return h.lease == lease; });
}

}  // namespace

Coordinator::Coordinator(CoordinatorConfig config, State state, Instant now)
    : config_(config), state_(std::move(state)), now_(now) {
  for (const auto& [name, worker] : state_.workers()) {
    for (const UnitId& unit : worker.running) renew(unit);
    if (!worker.is_joined) continue;
    sessions_[name] = {.heard = now};
    silences_.set(name, now + config_.lease);
  }
}

void Coordinator::begin(Effects& out) {
  out_ = &out;
  decide(EpochStarted{state_.epoch() + 1});
  out_ = nullptr;
}

void Coordinator::step(Instant now, const Input& input, Effects& out) {
  RT_CHECK(now >= now_);
  now_ = now;
  out_ = &out;
  listed_ = walked_ = 0;
  std::visit([this](const auto& in) { on(in); }, input);
  judge_rungs();
  extend_tuned_sweeps();
  do {  // trials that were listed just now may go on from what would be dropped
    if (has_room_) fill_free_slots();
    judge_rungs();
    close_ended_branches();
  } while (has_room_ || has_dropped_);
  out_ = nullptr;
}

std::optional<Instant> Coordinator::next_deadline() const {
  const auto term = next_term();
  return is_listing_ ? std::min(now_, term.value_or(now_)) : term;
}

std::optional<Instant> Coordinator::next_term() const {
  std::optional<Instant> out;
  for (const auto& first : {expiries_.first(), backoffs_.first(), silences_.first(), rests_.first()})
    if (first && (!out || *first < *out)) out = first;
  return out;
}

std::vector<Progress> Coordinator::progress() const {
  std::vector<Progress> out;
  for (const auto& [unit, term] : terms_)
    if (!term.progress.lease.unit.empty()) out.push_back(term.progress);
  return out;
}

std::map<WorkerName, Pulse> Coordinator::pulses() const {
  std::map<WorkerName, Pulse> out;
  for (const auto& [name, session] : sessions_)
    out[name] = {.heard = session.heard, .devices = session.devices, .resent = session.resent};
  return out;
}

void Coordinator::decide(Record record) {
  state_.apply(record);
  note_end(record);
  note_branch(record);
  note_rung(record);
  out_->records.push_back(std::move(record));
}

void Coordinator::send(const WorkerName& worker, CoordinatorMessage message) {
  out_->messages.push_back({worker, std::move(message)});
}

void Coordinator::reply(uint64_t to, decltype(Reply::answer) answer) {
  out_->replies.push_back({to, std::move(answer)});
}

// ---- workers come, beat, drain and go

void Coordinator::on(const FromWorker& in) {
  std::visit(
      [&]<class M>(const M& message) {
        if constexpr (std::is_same_v<M, Hello>)
          on_hello(in.sender, message);
        else if constexpr (std::is_same_v<M, Heartbeat>)
          on_heartbeat(in.sender, message);
        else if constexpr (std::is_same_v<M, Report>)
          on_report(in.sender, message);
        else if constexpr (std::is_same_v<M, Done>)
          on_done(in.sender, message);
        else
          on_drain(in.sender, message);
      },
      in.message);
}

void Coordinator::hear(const WorkerName& sender) {
  Session& session = sessions_[sender];
  if (session.heard + config_.suspect_after <= now_) has_room_ = true;  // it was suspect and may get work again
  session.heard = now_;
  const Worker* worker = state_.find_worker(sender);
  if (worker && worker->is_joined) silences_.set(sender, now_ + config_.lease);
}

void Coordinator::on_hello(const WorkerName& sender, const Hello& hello) {
  if (!is_sound(hello)) return;
  const Worker* known = state_.find_worker(sender);
  if (known && is_past(*known, hello.boot)) return on_past_life(*known, hello.boot);
  join(sender, hello);
  hear(sender);
  Session& session = sessions_.at(sender);
  session.is_introduced = true;
  session.is_draining = false;
  has_room_ = true;
  send(sender, Welcome{.boot = hello.boot,
                       .heartbeat_ms = config_.heartbeat.count(),
                       .lease_ms = config_.lease.count(),
                       .bulk_port = config_.bulk_port});
  for (const Held& held : hello.held) on_held(sender, held);
  for_each_running(sender, [&](const Unit& unit) {
    if (!names(hello, unit.lease())) not_held(unit, hello.boot);
  });
}

void Coordinator::for_each_running(const WorkerName& worker, const std::function<void(const Unit&)>& visit) {
  const std::set<UnitId> at_first = state_.workers().at(worker).running;
  for (const UnitId& unit : at_first)
    if (state_.workers().at(worker).running.contains(unit)) visit(state_.units().at(unit));
}

void Coordinator::join(const WorkerName& sender, const Hello& hello) {
  const Worker* known = state_.find_worker(sender);
  if (known && known->is_joined && known->boot == hello.boot) return;
  if (known && known->is_joined) {
    decide(WorkerLeft{sender, known->boot, LeaveReason::replaced});
    sessions_.erase(sender);  // it was the other life's
  }
  rests_.erase(sender);
  std::set<Lease> left_behind = known ? known->left_behind : std::set<Lease>{};
  std::erase_if(left_behind, [&](const Lease& lease) {  // what it trains yet is no checkpoint that was kept
    return std::any_of(hello.held.begin(), hello.held.end(),
                       [&](const Held& held) { return held.lease.unit == lease.unit; });
  });
  decide(WorkerJoined{sender, hello.boot, hello.version, hello.slots});
  for (const Lease& lease : left_behind) send(sender, Stop{lease, StopKind::kill});
}

void Coordinator::on_heartbeat(const WorkerName& sender, const Heartbeat& beat) {
  const Worker* worker = state_.find_worker(sender);
  if (worker && is_past(*worker, beat.boot)) return on_past_life(*worker, beat.boot);
  if (!worker || !worker->is_joined || worker->boot != beat.boot) return send(sender, AskHello{beat.boot});
  hear(sender);
  Session& session = sessions_.at(sender);
  session.has_beaten = true;
  if (is_sound(beat.devices)) session.devices = beat.devices;
  session.resent = beat.resent;
  if (!session.is_introduced) send(sender, AskHello{beat.boot});
  send(sender, Heard{beat.boot});
  if (worker->is_drain_asked) say_drain(*worker);
  for (const Lease& lease : beat.running) {
    if (is_running_for(sender, lease)) renew(lease.unit);
  }
  for (const Progress& progress : beat.progress) {
    const auto term = terms_.find(progress.lease.unit);
    if (term != terms_.end() && standing(sender, progress.lease) == Standing::current)
      term->second.progress = progress;
  }
  for_each_running(sender, [&](const Unit& unit) {
    if (std::find(beat.running.begin(), beat.running.end(), unit.lease()) == beat.running.end())
      not_held(unit, beat.boot);
  });
}

// The echo of a dead process, or the word of one that still runs while another one has its name. That one must
// be seen to run before this one is sent away: its Hello may be the older of the two, and its process gone.
void Coordinator::on_past_life(const Worker& worker, const std::string& boot) {
  const auto session = sessions_.find(worker.name);
  if (session != sessions_.end() && session->second.has_beaten) send(worker.name, Replaced{boot});
}

// A running lease that its worker does not name: the Grant was lost and is said again, or the life that it was
// meant for is over and took the attempt with it.
void Coordinator::not_held(const Unit& unit, const std::string& boot) {
  if (unit.attempt.boot == boot)
    say_grant(unit.id);
  else
    expire(unit.lease());
}

void Coordinator::on_drain(const WorkerName& sender, const Drain& drain) {
  const Worker* worker = state_.find_worker(sender);
  if (!worker || !worker->is_joined || worker->boot != drain.boot) return;
  hear(sender);
  sessions_.at(sender).is_draining = true;
  leave_if_drained(sender);
}

void Coordinator::leave_if_drained(const WorkerName& name) {
  const Worker& worker = state_.workers().at(name);
  const auto session = sessions_.find(name);
  if (session == sessions_.end() || !session->second.is_draining) return;
  if (worker.is_joined && worker.running.empty()) leave(worker, LeaveReason::drained);
}

void Coordinator::leave(const Worker& worker, LeaveReason reason) {
  silences_.erase(worker.name);
  rests_.erase(worker.name);
  sessions_.erase(worker.name);
  decide(WorkerLeft{worker.name, worker.boot, reason});
}

void Coordinator::on(const ArtifactsShelved& shelved) {
  shelved_.insert(shelved.trials.begin(), shelved.trials.end());
  has_room_ = true;
}

void Coordinator::on(const ArtifactsGone& gone) {
  for (const TrialId& trial : gone.trials) shelved_.erase(trial);
}

// ---- time

void Coordinator::on(const Wake&) {
  has_room_ = has_room_ || is_listing_;
  const auto deadline = next_term();
  if (!deadline) return;
  if (now_ - *deadline > kDeafAfter) return make_up_for(now_ - *deadline);
  expire_due();
}

// What workers said meanwhile may still be on its way: beside the lateness they get a heartbeat's time to be
// heard.
void Coordinator::make_up_for(Duration lateness) {
  const Duration grown = lateness + config_.heartbeat;
  expiries_.shift_all(grown);
  silences_.shift_all(grown);
  backoffs_.shift_all(lateness);
  rests_.shift_all(lateness);
  for (auto& [name, session] : sessions_) session.heard = session.heard + lateness;
}

void Coordinator::expire_due() {
  while (const auto unit = expiries_.due(now_)) expire(state_.units().at(*unit).lease());
  while (const auto unit = backoffs_.due(now_)) {
    backoffs_.erase(*unit);
    has_room_ = true;
  }
  while (const auto name = rests_.due(now_)) {
    rests_.erase(*name);
    has_room_ = true;
  }
  while (const auto name = silences_.due(now_)) {
    const Worker& worker = state_.workers().at(*name);
    if (worker.running.empty())
      leave(worker, LeaveReason::silent);
    else
      silences_.set(*name, now_ + config_.lease);  // a longer lease of a sweep's own still runs
  }
}

}  // namespace ranktide
