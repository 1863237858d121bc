#include "tests/sim/cluster.h"

#include <iterator>
#include <set>

#include "tests/sim/sweep_for_tests.h"

namespace ranktide::sim {
namespace {

constexpr Instant kHeal{600'000};
constexpr Duration kEndAfterHeal{3 * 3'600'000};
constexpr Duration kLineCheck{200};
constexpr Duration kAskAgain{10'000};

// One of the two frames gets another byte somewhere, or loses its end.
void damage(Frames& frames, SplitMix64& chance) {
  std::string& frame = chance.below(4) == 0 ? frames.header : frames.body;
  const size_t at = chance.below(frame.size());
  if (chance.below(3) == 0)
    frame.resize(at);
  else
    frame[at] = static_cast<char>(frame[at] ^ static_cast<char>(1 + chance.below(255)));
}

constexpr const char* kLabel = "fast";

bool has_uneven_slots(uint64_t seed) {
  return mix(seed, 1) % 2 == 0;
}

// In every fourth run the first sweep gives up soon: units that lose two workers fail it as a whole. Drawn
// apart, as below.
std::string run_of_first(uint64_t seed) {
  return std::string("lease: 30s") + (mix(seed, 2'000) % 4 == 0 ? ", max_failures: 1, retry: {infra: 1}" : "");
}

Duration drawn(SplitMix64& chance, int64_t after, int64_t within) {
  return Duration{after + static_cast<int64_t>(chance.below(static_cast<uint64_t>(within)))};
}

// In every second run who edits a sweep cancels what runs of the trials that it removes. Drawn apart, as below.
bool cancels_removed(uint64_t seed) {
  return mix(seed, 6'000) % 2 == 0;
}

// In every second run slots differ: in memory that is small, large or unknown, and in a label. The first slot
// of the first worker has everything, or large trials would never end. Drawn apart from the rest, so that the
// other runs are what they would be without.
std::vector<Slot> draw_slots(uint64_t seed, int worker, int n) {
  SplitMix64 chance(mix(seed, static_cast<uint64_t>(worker) + 2));
  std::vector<Slot> out;
  for (int i = 0; i < n; ++i) {
    out.push_back({.index = i, .device = "cpu"});
    if (!has_uneven_slots(seed)) continue;
    constexpr int64_t kSizes[] = {kSmallSlotBytes, kLargeSlotBytes, 0};
    const bool has_everything = worker == 1 && i == 0;
    out.back().memory_bytes = has_everything ? kLargeSlotBytes : kSizes[chance.below(std::size(kSizes))];
    if (has_everything || chance.below(2) == 0) out.back().labels = {kLabel};
  }
  return out;
}

}  // namespace

Cluster::Cluster(const RunOptions& options)
    : options_(options),
      world_(options.seed, options.is_loud),
      coordinator_(
          world_, truth_,
          [this](const WorkerName& to, const CoordinatorMessage& m, uint64_t epoch) {
            to_worker(to, m, epoch);
          },
          [this](const Reply& reply) { answered(reply); }) {
  if (options.is_hostile) truth_.believe_nobody();
  world_.faults = options.faults ? *options.faults : draw_faults(world_.chance);
  const int workers = 1 + static_cast<int>(world_.chance.below(static_cast<uint64_t>(options.workers_max)));
  for (int i = 1; i <= workers; ++i) {
    const WorkerName name{"w" + std::to_string(i)};
    const int slots = 1 + static_cast<int>(world_.chance.below(2));
    workers_.emplace(name,
                     std::make_unique<WorkerNode>(world_, truth_, name, draw_slots(options.seed, i, slots),
                                                  [this](const WorkerName& from, const WorkerMessage& m,
                                                         uint64_t epoch) { to_coordinator(from, m, epoch); }));
  }
}

// ---- the network

void Cluster::carry(const WorkerName& worker, const Frames& frames, const std::function<bool()>& arrives,
                    const Deliver& deliver) {
  if (!lines_[worker].is_up || world_.happens(world_.faults.message_lost)) return;
  const int copies = world_.happens(world_.faults.message_repeated) ? 2 : 1;
  for (int i = 0; i < copies; ++i)
    world_.after(world_.up_to(world_.faults.delay_max), [this, worker, frames, arrives, deliver] {
      if (arrives()) arrive(worker, frames, deliver);
    });
  if (world_.happens(world_.faults.connection_cut)) cut(worker);
}

// The receiver lives on whatever the codec refuses, as the router and the link do.
void Cluster::arrive(const WorkerName& worker, Frames frames, const Deliver& deliver) {
  const bool is_damaged = world_.happens(world_.faults.message_damaged);
  if (is_damaged) damage(frames, world_.chance);
  try {
    deliver(frames, is_damaged);
    damaged_read_ += is_damaged;
  } catch (const ProtocolError& refusal) {
    if (!is_damaged) throw Violation(std::string("the codec refused its own frames: ") + refusal.what());
    ++damaged_refused_;
    world_.note(worker.text + " refused: " + refusal.what());
  }
}

// What a worker has sent arrives even when the worker or the line is gone by then.
void Cluster::to_coordinator(const WorkerName& from, const WorkerMessage& message, uint64_t epoch) {
  const auto arrives = [this, life = coordinator_.life()] { return coordinator_.life() == life; };
  carry(from, encode(message, epoch), arrives, [this, from](const Frames& frames, bool is_damaged) {
    const Header header = decode_header(frames.header);
    WorkerMessage decoded = decode_worker_message(header, frames.body);
    if (is_damaged && !options_.is_hostile) return;  // CURVE's authentication has thrown it away
    world_.note(from.text + " says " + describe(decoded));
    coordinator_.receive(FromWorker{from, std::move(decoded)});
  });
}

// What is under way to a worker is lost with the connection, for it was made by one life of it.
void Cluster::to_worker(const WorkerName& to, const CoordinatorMessage& message, uint64_t epoch) {
  const auto arrives = [this, to, connection = lines_[to].connection] {
    const Line& now = lines_.at(to);
    return now.is_up && now.connection == connection && now.worker_life == workers_.at(to)->life();
  };
  carry(to, encode(message, epoch), arrives, [this, to](const Frames& frames, bool is_damaged) {
    const Header header = decode_header(frames.header);
    CoordinatorMessage decoded = decode_coordinator_message(header, frames.body);
    if (is_damaged) return;  // as above
    workers_.at(to)->receive(FromCoordinator{header.epoch, std::move(decoded)});
  });
}

void Cluster::cut(const WorkerName& worker) {
  Line& line = lines_.at(worker);
  if (!line.is_up) return;
  line.is_up = false;
  world_.note(worker.text + " cut off");
  // Told later: the cut may come in the middle of the worker's own turn.
  world_.after(Duration{0}, [this, worker] {
    if (!lines_.at(worker).is_up) workers_.at(worker)->receive(Disconnected{});
  });
}

// The line follows its two ends: it is up while both are, and its own luck allows.
void Cluster::mind_line(const WorkerName& worker) {
  Line& line = lines_[worker];
  if (world_.happens(world_.faults.worker_drain)) workers_.at(worker)->drain();
  const bool both_ends_up = coordinator_.is_up() && workers_.at(worker)->is_up();
  if (line.is_up && world_.happens(world_.faults.silence))
    line.silent_until = world_.now() + world_.up_to(Duration{90'000});
  const bool may_be_up = both_ends_up && line.silent_until <= world_.now();
  const int life = workers_.at(worker)->life();
  if (line.is_up && (!may_be_up || line.worker_life != life)) cut(worker);
  if (!line.is_up && may_be_up) {
    line.is_up = true;
    line.worker_life = life;
    ++line.connection;
    workers_.at(worker)->receive(Connected{});
  }
  world_.after(kLineCheck, [this, worker] { mind_line(worker); });
}

// ---- users

// A client asks again with the same request id until it is answered.
template <class Request>
void Cluster::ask(Request request, Duration wait) {
  to_answer_.insert(request.request_id);
  world_.after(wait, [this, request]() mutable {
    if (!to_answer_.contains(request.request_id)) return;
    request.reply_to = asked_.size();
    asked_.push_back(request.request_id);
    coordinator_.receive(request);
    ask(request, kAskAgain);
  });
}

void Cluster::answered(const Reply& reply) {
  const std::string& request_id = asked_.at(reply.reply_to);
  if (const auto* rejected = std::get_if<Rejected>(&reply.answer))
    world_.note("rejected: " + rejected->reason);
  else if (request_id != "resume" &&
           request_id.find(" trials") == std::string::npos)  // they may change nothing
    truth_.got_answer(request_id);
  to_answer_.erase(request_id);
}

// Sweeps share trials; one is edited while it runs, and one is cancelled in some runs.
void Cluster::users_ask() {
  for (int i = 1; i <= options_.sweeps; ++i) {
    const std::string name = "sweep" + std::to_string(i);
    const bool asks = i == 2 && has_uneven_slots(options_.seed);
    if (asks) truth_.placing().asks_for_label(name, kLabel);
    const SweepSpec spec = sweep_for_tests({.name = name,
                                            .ranks = {2, 4, 8 * i},
                                            .seeds = 4,
                                            .steps = 10,
                                            .priority = i,
                                            .run = (i == 1 ? run_of_first(options_.seed) : "lease: 30s") +
                                                   std::string(asks ? ", needs: {labels: [fast]}" : ""),
                                            .has_shape = true});
    ask(Submit{.request_id = "submit " + name, .spec = spec}, world_.up_to(Duration{60'000}));
  }
  const SweepSpec edited = sweep_for_tests({.name = "sweep1",
                                            .ranks = {4, 16},
                                            .seeds = 5,
                                            .steps = 10,
                                            .run = run_of_first(options_.seed),
                                            .has_shape = true});
  const bool cancel_removed = cancels_removed(options_.seed);
  ask(Submit{.request_id = "edit", .spec = edited, .cancel_removed = cancel_removed},
      Duration{60'000} + world_.up_to(Duration{120'000}));
  if (world_.chance.below(3) == 0)
    ask(ControlSweep{.request_id = "cancel", .sweep = "sweep2", .action = SweepAction::cancel},
        Duration{60'000} + world_.up_to(Duration{120'000}));
  users_take_hold();
}

// Each hand is laid on in a third of the runs, in any order and on top of the others.
void Cluster::users_take_hold() {
  const auto maybe = [this](auto request) {
    if (world_.chance.below(3) == 0) ask(request, Duration{30'000} + world_.up_to(Duration{200'000}));
  };
  maybe(ControlSweep{.request_id = "pause", .sweep = "sweep1", .action = SweepAction::pause});
  maybe(ControlSweep{.request_id = "stop", .sweep = "sweep2", .action = SweepAction::stop});
  maybe(ControlSweep{.request_id = "retry", .sweep = "sweep2", .action = SweepAction::retry});
  maybe(ChangePolicy{.request_id = "policy", .sweep = "sweep1", .priority = 9, .max_parallel = 1});
  users_choose_trials();
  users_share_beginnings();
  users_tune();
  users_race();
  users_forget_a_worker();
  maybe(DrainWorker{.request_id = "drain", .worker = WorkerName{"w1"}});
  if (world_.chance.below(3) == 0)
    world_.after(world_.up_to(Duration{200'000}), [this] { coordinator_.receive(SetQuota{kLocalActor, 1}); });
}

// In half of the runs some trials are taken out of a sweep while it runs, and later tried again, with whatever
// has failed; in a third a worker is revoked, and comes back with a new key. Drawn apart, as uneven slots are.
void Cluster::users_choose_trials() {
  SplitMix64 chance(mix(options_.seed, 1'000));
  const auto up_to = [&](int64_t ms) {
    return Duration{static_cast<int64_t>(chance.below(static_cast<uint64_t>(ms)))};
  };
  if (chance.below(3) == 0)
    ask(RevokeWorker{.request_id = "revoke", .worker = WorkerName{"w1"}}, Duration{30'000} + up_to(200'000));
  if (chance.below(2) == 0) return;
  const Grid grid(sweep_for_tests(
      {.name = "sweep1", .ranks = {2, 4, 8}, .seeds = 4, .steps = 10, .run = "lease: 30s", .has_shape = true}));
  ControlTrials request{.request_id = "cancel trials",
                        .sweep = "sweep" + std::to_string(1 + chance.below(2)),
                        .action = SweepAction::cancel};
  std::set<int64_t> chosen;
  while (chosen.size() < 3)
    chosen.insert(static_cast<int64_t>(chance.below(static_cast<uint64_t>(grid.raw_count()))));
  for (const int64_t raw : chosen) request.trials.prefixes.push_back(grid.at(raw).value().id.text);
  ask(request, Duration{30'000} + up_to(100'000));
  request.request_id = "retry trials";
  request.action = SweepAction::retry;
  request.trials.failed = true;
  ask(request, Duration{100'000} + up_to(200'000));
}

// In every fourth run two more sweeps have trials that begin alike: one of them is edited, its trials are taken
// out one by one, or it is cancelled as a whole. Drawn apart, as uneven slots are.
void Cluster::users_share_beginnings() {
  SplitMix64 chance(mix(options_.seed, 3'000));
  if (chance.below(4) != 0) return;
  SweepForTests wish{.name = "budgets",
                     .ranks = {4},
                     .seeds = 4,
                     .budgets = {4, 7, 12},
                     .priority = 5,
                     .eval_at = "[0, 2, 5, end]",
                     .run = "lease: 30s",
                     .has_shape = true};
  ask(Submit{.request_id = "submit budgets", .spec = sweep_for_tests(wish)}, drawn(chance, 0, 20'000));
  const Grid grid(sweep_for_tests(wish));
  wish.budgets = {4, 12, 15};
  wish.eval_at = "[0, 3, 5, end]";
  const SweepSpec edited = sweep_for_tests(wish);
  wish.name = "more-budgets";
  ask(Submit{.request_id = "submit more budgets", .spec = sweep_for_tests(wish)}, drawn(chance, 0, 120'000));
  const uint64_t what = chance.below(3);
  const bool cancel_removed = cancels_removed(options_.seed);
  if (what == 0)
    return ask(Submit{.request_id = "edit budgets", .spec = edited, .cancel_removed = cancel_removed},
               drawn(chance, 60'000, 60'000));
  if (what == 1)
    return ask(ControlSweep{.request_id = "cancel budgets", .sweep = "budgets", .action = SweepAction::cancel},
               drawn(chance, 25'000, 20'000));
  ControlTrials request{
      .request_id = "cancel trials of budgets", .sweep = "budgets", .action = SweepAction::cancel};
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (raw % 4 != 0) request.trials.prefixes.push_back(grid.at(raw).value().id.text);
  ask(request, drawn(chance, 25'000, 20'000));
  request.request_id = "retry trials of budgets";
  request.action = SweepAction::retry;
  ask(request, drawn(chance, 120'000, 60'000));
}

// In a third of the runs somebody asks again and again that a worker be forgotten: where it is away, it begins
// anew when it comes back. Drawn apart, as uneven slots are.
void Cluster::users_forget_a_worker() {
  SplitMix64 chance(mix(options_.seed, 5'000));
  if (chance.below(3) != 0) return;
  for (int64_t at = 20'000; at < 260'000; at += 20'000)
    ask(ForgetWorker{.request_id = "forget at " + std::to_string(at), .worker = WorkerName{"w1"}},
        Duration{at + static_cast<int64_t>(chance.below(20'000))});
}

// In every fourth run a sweep tunes its rate, beyond its ends where the best stands there; half of them are
// edited.
void Cluster::users_tune() {
  SplitMix64 chance(mix(options_.seed, 4'000));
  if (chance.below(4) != 0) return;
  SweepForTests wish{.name = "tuned",
                     .ranks = {4, 16},
                     .seeds = 1,
                     .steps = 4,
                     .run = "lease: 30s",
                     .rates = "[1e-4, 1e-3, 1e-2]",
                     .tune = "{axes: [train.lr], extend: 2}",
                     .has_shape = true};
  ask(Submit{.request_id = "submit tuned", .spec = sweep_for_tests(wish)}, drawn(chance, 0, 60'000));
  wish.seeds = 2;
  if (chance.below(2) == 0)
    ask(Submit{.request_id = "edit tuned", .spec = sweep_for_tests(wish)}, drawn(chance, 60'000, 200'000));
}

// In every third run rates race, of two ranks that must not lose all of theirs. Most of these sweeps are
// edited, some to rates that may all be out; half have a sweep beside that wants some of their trials in full.
// Drawn apart, as uneven slots are.
void Cluster::users_race() {
  SplitMix64 chance(mix(options_.seed, 7'000));
  if (chance.below(3) != 0) return;
  SweepForTests wish{.name = "raced",
                     .ranks = {4, 16},
                     .seeds = 2,
                     .steps = 8,
                     .priority = 7,
                     .run = "lease: 30s, stop_early: {by: words, eta: 2, first: 25%}",
                     .rates = "[1e-5, 1e-4, 1e-3, 1e-2]",
                     .tune = "{axes: [train.lr]}",
                     .has_shape = true};
  ask(Submit{.request_id = "submit raced", .spec = sweep_for_tests(wish)}, drawn(chance, 0, 30'000));
  wish.rates = chance.below(3) != 0 ? "[1e-3, 1e-2]" : "[1e-5, 1e-4, 1e-3, 1e-2, 1e-1]";
  if (chance.below(4) != 0)
    ask(Submit{.request_id = "edit raced", .spec = sweep_for_tests(wish)}, drawn(chance, 120'000, 120'000));
  wish.name = "unraced";
  wish.run = "lease: 30s";
  wish.rates = "[1e-4, 1e-2]";
  if (chance.below(2) == 0)
    ask(Submit{.request_id = "submit unraced", .spec = sweep_for_tests(wish)}, drawn(chance, 0, 120'000));
}

// After the heal: what was held back goes on, and workers that were sent away come back.
void Cluster::users_let_go() {
  world_.after(Duration{60'000}, [this] {
    ask(ControlSweep{.request_id = "resume", .sweep = "sweep1", .action = SweepAction::resume}, Duration{0});
    coordinator_.receive(SetQuota{kLocalActor, {}});
    for (const auto& [name, worker] : workers_) worker->drain();
  });
}

// ---- the run

RunResult Cluster::run() {
  coordinator_.start();
  for (const auto& [name, worker] : workers_) {
    worker->start();
    mind_line(name);
  }
  users_ask();
  run_until(kHeal);
  world_.note("heal");
  world_.faults = Faults{};
  users_let_go();
  run_until(kHeal + kEndAfterHeal);
  if (!is_over() && !options_.is_hostile) throw Violation("I8: not everything came to its end after the heal");
  coordinator_.check();
  coordinator_.check_tables();
  RunResult result{.coordinator_lives = coordinator_.state().epoch(),
                   .damaged_refused = damaged_refused_,
                   .damaged_read = damaged_read_};
  for (const auto& [number, sweep] : coordinator_.state().sweeps()) {
    result.completed += sweep.stages[static_cast<size_t>(UnitLife::completed)];
    result.failed += sweep.stages[static_cast<size_t>(UnitLife::failed)];
  }
  result.kinds = coordinator_.kinds();
  result.history_hash = world_.history_hash();
  return result;
}

void Cluster::run_until(Instant end) {
  for (uint64_t events = 0; world_.now() < end && world_.step(); ++events) {
    if (events % 4'096 == 0 && coordinator_.is_up()) coordinator_.check();
    if (world_.now() > kHeal && events % 64 == 0 && is_over()) return;
  }
}

bool Cluster::is_over() const {
  if (!coordinator_.is_up() || !to_answer_.empty()) return false;
  for (const auto& [number, sweep] : coordinator_.state().sweeps())
    if (!sweep.is_over()) return false;
  for (const auto& [id, unit] : coordinator_.state().units())
    if (unit.life == UnitLife::running) return false;
  return true;
}

}  // namespace ranktide::sim
