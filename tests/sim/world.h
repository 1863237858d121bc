#pragma once
// The simulator's clock, chance and queue of things to come. One seed, one history: nothing else decides
// anything.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "common/vocabulary/random.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/time.h"

namespace ranktide::sim {

// What may go wrong in this run. Rates are per message, turn or training step; zero: never.
struct Faults {
  double message_lost = 0;
  double message_repeated = 0;
  double message_damaged = 0;    // a byte is another one, or the end is missing
  Duration delay_max{50};        // messages overtake each other within it
  double connection_cut = 0;     // per message
  double coordinator_crash = 0;  // per turn and seam
  double coordinator_deaf = 0;   // per turn: it stands still for up to a minute
  double worker_crash = 0;       // per turn and seam
  double worker_drain = 0;       // per look at its line (five a second): it is asked to leave, and comes back
  double spool_torn = 0;         // per worker crash: what was not synced is lost
  double trainer_crash = 0;      // per step
  double trainer_hang = 0;       // per step
  double input_missing = 0;      // per step: the worker lacks an input by now, so the work is refused
  double silence = 0;            // per look at a line (five a second): it is down for longer than a lease
};

// Swarm testing: each fault is on in half of the runs, so that rare ones also meet quiet neighbours.
inline Faults draw_faults(SplitMix64& chance) {
  const auto maybe = [&](double rate) { return chance.below(2) == 0 ? 0 : rate * chance.unit(); };
  Faults out;
  out.message_lost = maybe(0.2);
  out.message_repeated = maybe(0.3);
  out.delay_max = Duration{chance.below(2) == 0 ? 20 : 4'000};
  out.connection_cut = maybe(0.02);
  out.coordinator_crash = maybe(0.03);
  out.coordinator_deaf = maybe(0.005);
  out.worker_crash = maybe(0.02);
  out.worker_drain = maybe(0.002);
  out.spool_torn = maybe(1);
  out.trainer_crash = maybe(0.02);
  out.trainer_hang = maybe(0.005);
  out.silence = maybe(0.0005);
  out.message_damaged = maybe(0.1);
  out.input_missing = maybe(0.01);
  return out;
}

class World {
 public:
  World(uint64_t seed, bool is_loud) : chance(seed), is_loud_(is_loud) {}

  Instant now() const { return now_; }
  void after(Duration wait, std::function<void()> what) {
    queue_.emplace(std::pair{now_ + wait, ++count_}, std::move(what));
  }
  Duration up_to(Duration most) {
    return Duration{static_cast<int64_t>(chance.below(static_cast<uint64_t>(most.count()) + 1))};
  }
  bool happens(double rate) { return rate > 0 && chance.unit() < rate; }

  // Returns: false when nothing is left to happen.
  bool step() {
    if (queue_.empty()) return false;
    const auto next = queue_.begin();
    now_ = next->first.first;
    const auto what = std::move(next->second);
    queue_.erase(next);
    what();
    return true;
  }

  // Everything that is seen goes into the history's hash.
  void note(const std::string& line) {
    const std::string text = std::to_string(now_.ms) + " " + line + "\n";
    history_.update(text);
    if (is_loud_) std::fputs(text.c_str(), stdout);
  }
  // Requires: called once, at the end.
  std::string history_hash() { return history_.hex(); }

  SplitMix64 chance;
  Faults faults;

 private:
  Instant now_;
  uint64_t count_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> queue_;
  Sha256 history_;
  bool is_loud_;
};

}  // namespace ranktide::sim
