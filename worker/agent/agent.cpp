#include "worker/agent/agent.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "common/vocabulary/check.h"
#include "common/vocabulary/seeded_bug.h"
#include "worker/agent/message_limits.h"
#include "worker/agent/outbox.h"
#include "worker/agent/runner.h"

namespace ranktide {
namespace {

// Trainers are resumed when a quarter of the spool is free again, so that they do not stutter at its limit.
int64_t resume_below(int64_t spool_bytes_max) {
  return spool_bytes_max / 4 * 3;
}

}  // namespace

// ---- what one process life knows

struct Agent::Life {
  Life(AgentConfig c, Instant start) : config(std::move(c)), now(start), outbox(config) {
    for (const Slot& slot : config.slots) runners.emplace(slot.index, Runner(slot.index, config));
    looked_for_ended_at = start;
  }

  void on(const SpoolLoaded& loaded);
  void on(const Connected&);
  void on(const Disconnected&);
  void on(const FromCoordinator& in);
  void on(const FromTrainer& in);
  void on(const TrainerDied& death);
  void on(const DrainRequested&);
  void on(const AgentWake&);
  void on(const LastWork&) { take_nothing_new(); }
  void on(const DevicesMeasured& measured) { devices = measured.devices; }

  void hear(const Welcome& m);
  void hear(const Grant& m);
  void hear(const Stop& m);
  void hear(const Ack& m) { outbox.ack(m.lease, m.seq, now, *out); }
  void hear(const Nack& m);
  void hear(const Fenced& m) { forget(m.lease); }
  void hear(const Resume& m) { outbox.resume(m.lease, m.from_seq, now, *out); }
  void hear(const Abandon& m) { forget(m.lease); }
  void hear(const Heard&) {}  // having heard it is all there is to it
  void hear(const AskHello& m);
  void hear(const Replaced& m) { is_replaced = is_replaced || m.boot == config.boot; }

  void say_hello();
  void beat();
  void say_drain();
  void keep(const std::vector<Said>& said);
  void note_training(const Grant& m, int slot);
  void give_back(const Lease& lease);
  void forget(const Lease& lease);
  void forget_cancelled_units();
  bool trains(const Lease& lease) const;
  bool trains_up_to(const Lease& newest) const;
  void forget_long_ended();
  bool is_minded(const Lease& newest) const;
  void mind_the_spool_limit();
  void leave_after_one_round();
  void take_nothing_new();
  void finish_step();

  bool said_goodbye() const { return is_draining && said_drain && outbox.is_empty(); }

  struct Started {  // the highest attempt of a unit that this life took
    Attempt attempt = 0;
    bool had_ended = false;  // at the last look of forget_long_ended()
  };

  AgentConfig config;
  Instant now;
  AgentEffects* out = nullptr;  // of the step in progress
  Outbox outbox;
  std::map<int, Runner> runners;      // by slot
  std::map<UnitId, Started> started;  // a repeated Grant starts nothing
  Instant looked_for_ended_at;
  std::set<Lease> training;    // held ones that train and have not ended
  std::set<int> served;        // slots that had such a lease
  bool has_ended_one = false;  // such a lease of this life
  std::set<Lease> cancelled;   // over once their trainers have stopped; at most one a slot

  uint64_t epoch = 0;
  bool is_loaded = false;
  bool is_connected = false;
  bool is_welcomed = false;  // the coordinator answered our newest Hello; only then reports are sent
  bool is_draining = false;  // takes nothing new
  bool is_told_to_drain = false;
  bool said_drain = false;  // since nothing is held any more
  bool is_paused = false;
  bool is_replaced = false;
  std::vector<DeviceUse> devices;
  Duration heartbeat{10'000};
  Duration silence_max{120'000};  // a lease: after it the coordinator may think us gone
  Instant heard;
  Instant hello_at;
  Instant beat_at;
};

// ---- connection

void Agent::Life::on(const SpoolLoaded& loaded) {
  RT_CHECK(!is_loaded);
  is_loaded = true;
  for (const SpooledAttempt& attempt : loaded.attempts) {
    if (attempt.entries.empty())
      out->spool.push_back(SpoolForget{attempt.lease});
    else
      outbox.load(attempt);
  }
}

void Agent::Life::on(const Connected&) {
  is_connected = true;
  outbox.rewind_all();
  say_hello();
}

void Agent::Life::on(const Disconnected&) {
  is_connected = false;
  is_welcomed = false;
}

// Once it has said goodbye it does not introduce itself again, whatever it still hears: it would be granted
// work and be gone.
void Agent::Life::say_hello() {
  if (said_goodbye()) return;
  is_welcomed = false;
  if (!is_connected) return;
  hello_at = now + config.hello_again_after;
  out->messages.push_back(
      Hello{.boot = config.boot, .version = config.version, .slots = config.slots, .held = outbox.held()});
}

void Agent::Life::on(const FromCoordinator& in) {
  if (in.epoch < epoch) return;  // an old coordinator that woke up, or a restored backup
  const bool is_new_coordinator = in.epoch > epoch && is_welcomed;
  epoch = in.epoch;
  heard = now;
  if (is_new_coordinator) say_hello();  // it may not know where our attempts stand
  std::visit([this](const auto& m) { hear(m); }, in.message);
}

void Agent::Life::hear(const Welcome& m) {
  if (m.boot != config.boot) return;
  is_welcomed = true;
  heartbeat = std::max(Duration{1}, Duration{m.heartbeat_ms});
  silence_max = std::max(heartbeat, Duration{m.lease_ms});
  beat_at = now + heartbeat;
  if (is_draining) say_drain();
}

// What it expects was acked and is gone here: it took up the lease again by an older word of ours. Only a Hello
// says anew where the attempt stands.
void Agent::Life::hear(const Nack& m) {
  if (!outbox.was_acked(m.lease, m.expected)) return outbox.nack(m.lease, m.expected, now, *out);
  if (is_welcomed) say_hello();
}

void Agent::Life::hear(const AskHello& m) {
  if (!m.boot.empty() && m.boot != config.boot) return;
  if (is_welcomed) say_hello();  // else one is under way
}

void Agent::Life::beat() {
  beat_at = now + heartbeat;
  Heartbeat beat{.boot = config.boot,
                 .running = outbox.leases(),
                 .progress = {},
                 .devices = devices,
                 .resent = outbox.resent()};
  for (const auto& [slot, runner] : runners)
    if (const auto progress = runner.progress()) beat.progress.push_back(*progress);
  out->messages.push_back(std::move(beat));
}

// ---- leases

void Agent::Life::hear(const Grant& m) {
  const bool is_for_this_life = m.boot == config.boot || seeded_bug("grant_any_life");
  const bool is_repeated = started.contains(m.lease.unit) &&
                           started.at(m.lease.unit).attempt >= m.lease.attempt && !seeded_bug("grant_twice");
  const auto runner = m.slots.empty() ? runners.end() : runners.find(m.slots.front());
  if (!is_for_this_life || is_repeated || runner == runners.end() || outbox.holds(m.lease)) return;
  started[m.lease.unit] = {.attempt = m.lease.attempt};
  outbox.open(m.lease);
  if (is_draining) return give_back(m.lease);
  note_training(m, runner->first);
  runner->second.take(m, now, *out);
}

// An eval of the base is the same for everybody and takes seconds: it is not what `once` was said for. Nor is a
// trunk: who left with what it leaves would have trained it for nobody.
void Agent::Life::note_training(const Grant& m, int slot) {
  if (m.work.kind != WorkKind::train || !m.work.branches.empty()) return;
  training.insert(m.lease);
  served.insert(slot);
}

void Agent::Life::hear(const Stop& m) {
  if (m.kind == StopKind::kill) {
    cancelled.insert(m.lease);
    return forget(m.lease);
  }
  for (auto& [slot, runner] : runners) keep(runner.stop(m.lease, now, *out));
}

void Agent::Life::give_back(const Lease& lease) {
  Outcome outcome;
  outcome.kind = OutcomeKind::stopped;
  outcome.message = "the worker is draining";
  keep({{lease, outcome}});
}

void Agent::Life::forget(const Lease& lease) {
  training.erase(lease);
  outbox.forget(lease, *out);
  for (auto& [slot, runner] : runners) runner.forget(lease, now, *out);
}

// Wanted again meanwhile, a unit goes on from what the cancelled attempt left.
void Agent::Life::forget_cancelled_units() {
  std::erase_if(cancelled, [this](const Lease& lease) {
    if (trains_up_to(lease)) return false;
    const auto newest = started.find(lease.unit);
    if (newest == started.end() || newest->second.attempt <= lease.attempt) out->over.push_back(lease.unit);
    return true;
  });
}

// Another worker may have ended the unit while an earlier attempt goes on here, which is fenced soon.
bool Agent::Life::trains_up_to(const Lease& newest) const {
  return std::any_of(runners.begin(), runners.end(),
                     [&](const auto& entry) { return entry.second.has_up_to(newest); });
}

bool Agent::Life::trains(const Lease& lease) const {
  return std::any_of(runners.begin(), runners.end(),
                     [&](const auto& entry) { return entry.second.has(lease); });
}

// The coordinator says a Grant again until it knows that it arrived: a copy may come when the attempt has
// ended. None is said after the answer to its Done, or after it was fenced, so what comes then was under way. A
// unit is forgotten when its attempt was over at two looks with that time between them, for all units of a life
// grow without limit.
void Agent::Life::forget_long_ended() {
  if (now - looked_for_ended_at < config.grant_copies_within) return;
  looked_for_ended_at = now;
  for (auto it = started.begin(); it != started.end();) {
    const bool has_ended = !is_minded(Lease{it->first, it->second.attempt});
    const bool had_ended = std::exchange(it->second.had_ended, has_ended);
    it = has_ended && had_ended ? started.erase(it) : std::next(it);
  }
}

// A cancelled attempt asks for the newest one of its unit when it ends.
bool Agent::Life::is_minded(const Lease& newest) const {
  const auto cancelled_one = cancelled.lower_bound(Lease{newest.unit, 0});
  const bool has_cancelled_one = cancelled_one != cancelled.end() && cancelled_one->unit == newest.unit;
  return outbox.holds(newest) || trains(newest) || has_cancelled_one;
}

// ---- trainers

void Agent::Life::on(const FromTrainer& in) {
  keep(runners.at(in.slot).on(in, now, *out));
}

// Before the death is told: the runner would start another trainer for what waits.
void Agent::Life::on(const TrainerDied& death) {
  if (death.kind == OutcomeKind::stopped) on(DrainRequested{});
  keep(runners.at(death.slot).on(death, now, *out));
}

void Agent::Life::keep(const std::vector<Said>& said) {
  for (const Said& s : said) {
    if (const auto* outcome = std::get_if<Outcome>(&s.what)) {
      outbox.close(s.lease, trimmed(*outcome), *out);
      has_ended_one = training.erase(s.lease) > 0 || has_ended_one;
    } else {
      for (const Findings& piece : in_pieces(std::get<Findings>(s.what))) outbox.append(s.lease, piece, *out);
    }
  }
}

void Agent::Life::mind_the_spool_limit() {
  if (!is_paused && outbox.bytes() >= config.spool_bytes_max)
    is_paused = true;
  else if (is_paused && outbox.bytes() < resume_below(config.spool_bytes_max))
    is_paused = false;
  for (auto& [slot, runner] : runners) {
    if (is_paused)
      runner.pause(*out);
    else
      runner.resume(now, *out);
  }
}

// ---- drain and time

void Agent::Life::on(const DrainRequested&) {
  if (is_told_to_drain) return;
  is_draining = is_told_to_drain = true;
  for (auto& [slot, runner] : runners) keep(runner.stop_everything(now, *out));
  if (is_welcomed) say_drain();
}

void Agent::Life::say_drain() {
  said_drain = outbox.is_empty();
  out->messages.push_back(Drain{config.boot});
}

void Agent::Life::on(const AgentWake&) {
  for (auto& [slot, runner] : runners) runner.wake(now, *out);
  if (is_welcomed && now - heard > silence_max) say_hello();
  if (!is_welcomed && is_connected && hello_at <= now) say_hello();
  if (is_welcomed && !said_goodbye() && beat_at <= now) beat();
}

// Said before the Done is: the slot that it frees would be granted the next lease in the same turn.
void Agent::Life::leave_after_one_round() {
  const bool has_had_its_round = has_ended_one || served.size() == runners.size();
  if (config.once && has_had_its_round) take_nothing_new();
}

void Agent::Life::take_nothing_new() {
  if (is_draining) return;
  is_draining = true;
  if (is_welcomed) say_drain();
}

void Agent::Life::finish_step() {
  forget_cancelled_units();
  forget_long_ended();
  mind_the_spool_limit();
  leave_after_one_round();
  if (!is_welcomed) return;
  outbox.pump(now, *out);
  if (is_draining && !said_drain && outbox.is_empty()) say_drain();
}

// ---- the outside

Agent::Agent(AgentConfig config, Instant now) : life_(std::make_unique<Life>(std::move(config), now)) {}
Agent::~Agent() = default;
Agent::Agent(Agent&&) noexcept = default;

void Agent::step(Instant now, const AgentInput& input, AgentEffects& out) {
  RT_CHECK(now >= life_->now);
  RT_CHECK(life_->is_loaded || std::holds_alternative<SpoolLoaded>(input));
  life_->now = now;
  life_->out = &out;
  std::visit([this](const auto& in) { life_->on(in); }, input);
  life_->finish_step();
  life_->out = nullptr;
}

std::optional<Instant> Agent::next_deadline() const {
  std::optional<Instant> out;
  const auto consider = [&](std::optional<Instant> at) {
    if (at && (!out || *at < *out)) out = at;
  };
  for (const auto& [slot, runner] : life_->runners) consider(runner.next_deadline());
  if (life_->said_goodbye()) return out;
  if (life_->is_welcomed) {
    consider(life_->beat_at);
    consider(life_->heard + life_->silence_max + Duration{1});
    consider(life_->outbox.next_resend());
  } else if (life_->is_connected) {
    consider(life_->hello_at);
  }
  return out;
}

uint64_t Agent::epoch() const {
  return life_->epoch;
}

bool Agent::is_working() const {
  return std::any_of(life_->runners.begin(), life_->runners.end(),
                     [](const auto& entry) { return entry.second.is_busy(); });
}

bool Agent::is_replaced() const {
  return life_->is_replaced;
}

bool Agent::is_idle() const {
  return !is_working() && life_->outbox.is_empty();
}

bool Agent::is_drained() const {
  return life_->said_goodbye() && life_->cancelled.empty();
}

}  // namespace ranktide
