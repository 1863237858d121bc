#pragma once
// One run of the simulator: a coordinator, workers, users, and a network that carries real frames and loses,
// repeats, delays, damages and cuts. First faults, then the heal, after which everything must come to its end.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/coordinator_node.h"
#include "tests/sim/worker_node.h"

namespace ranktide::sim {

struct RunOptions {
  uint64_t seed = 1;
  int workers_max = 3;
  int sweeps = 2;
  std::optional<Faults> faults{};  // unset: drawn from the seed
  bool is_hostile = false;  // workers mean what damage makes of their messages; only the coordinator is judged
  bool is_loud = false;     // prints the history
};

struct RunResult {
  std::string history_hash{};
  uint64_t coordinator_lives = 0;
  int64_t completed = 0;
  int64_t failed = 0;
  std::set<std::string> kinds{};  // of records
  int64_t damaged_refused = 0;    // damaged messages that the codec refused,
  int64_t damaged_read = 0;       // and that it read: the damage was in a value
};

class Cluster {
 public:
  explicit Cluster(const RunOptions& options);
  // Throws: Violation naming the invariant that did not hold.
  RunResult run();

 private:
  struct Line {  // a worker's connection; what is under way on an older one is lost
    int connection = 0;
    bool is_up = false;
    int worker_life = 0;  // that it was made by
    Instant silent_until;
  };

  // `deliver` throws ProtocolError when the codec refuses the frames.
  using Deliver = std::function<void(const Frames&, bool is_damaged)>;
  void carry(const WorkerName& worker, const Frames& frames, const std::function<bool()>& arrives,
             const Deliver& deliver);
  void arrive(const WorkerName& worker, Frames frames, const Deliver& deliver);
  void to_coordinator(const WorkerName& from, const WorkerMessage& message, uint64_t epoch);
  void to_worker(const WorkerName& to, const CoordinatorMessage& message, uint64_t epoch);
  void mind_line(const WorkerName& worker);
  void cut(const WorkerName& worker);
  template <class Request>
  void ask(Request request, Duration wait);
  void users_ask();
  void users_take_hold();
  void users_choose_trials();
  void users_share_beginnings();
  void users_tune();
  void users_race();
  void users_forget_a_worker();
  void users_let_go();
  void answered(const Reply& reply);
  void run_until(Instant end);
  bool is_over() const;

  RunOptions options_;
  World world_;
  Truth truth_;
  CoordinatorNode coordinator_;
  std::map<WorkerName, std::unique_ptr<WorkerNode>> workers_;
  std::map<WorkerName, Line> lines_;
  std::vector<std::string> asked_;   // request ids by reply_to
  std::set<std::string> to_answer_;  // request ids without an answer yet
  int64_t damaged_refused_ = 0;
  int64_t damaged_read_ = 0;
};

}  // namespace ranktide::sim
