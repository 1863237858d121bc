#include "tests/sim/coordinator_node.h"

#include "common/vocabulary/seeded_bug.h"

namespace ranktide::sim {
namespace {

// Short terms, so that a run of minutes sees many of them.
constexpr CoordinatorConfig kConfig{.heartbeat = Duration{5'000},
                                    .lease = Duration{30'000},
                                    .suspect_after = Duration{12'000},
                                    .backoff_min = Duration{1'000},
                                    .backoff_max = Duration{20'000},
                                    .listed_at_once = 2,
                                    .walked_at_once = 3};
constexpr Duration kTurnMax{20};
constexpr Duration kCoordinatorDownMax{40'000};
constexpr Duration kDeafMax{60'000};

}  // namespace

CoordinatorNode::CoordinatorNode(World& world, Truth& truth, Send send, Answer answer)
    : world_(world), truth_(truth), send_(std::move(send)), answer_(std::move(answer)) {}

void CoordinatorNode::start() {
  State state;
  std::vector<Record> kept;
  disk_.open().replay([&](const Record& record) {
    state.apply(record);
    kept.push_back(record);
  });
  truth_.check_kept(kept);
  core_ = std::make_unique<Coordinator>(kConfig, std::move(state), world_.now());
  ++life_;
  has_turn_ = false;
  Effects effects;
  core_->begin(effects);
  if (!commit(effects)) return;
  world_.note("coordinator up, epoch " + std::to_string(core_->state().epoch()));
  wake_later();
}

void CoordinatorNode::crash() {
  world_.note("coordinator crash");
  core_.reset();
  inbox_.clear();
  disk_.crash(world_.chance);
  world_.after(world_.up_to(kCoordinatorDownMax), [this] { start(); });
}

bool CoordinatorNode::dies() {
  if (!world_.happens(world_.faults.coordinator_crash)) return false;
  crash();
  return true;
}

void CoordinatorNode::receive(Input input) {
  if (!is_up()) return;
  inbox_.push_back(std::move(input));
  const bool is_deaf = world_.happens(world_.faults.coordinator_deaf);
  turn_later(is_deaf ? world_.up_to(kDeafMax) : world_.up_to(kTurnMax));
}

void CoordinatorNode::turn_later(Duration wait) {
  if (has_turn_) return;
  has_turn_ = true;
  world_.after(wait, [this, life = life_] {
    if (is_up() && life == life_) turn();
  });
}

void CoordinatorNode::wake_later() {
  const auto due = core_->next_deadline();
  if (!due) return;
  world_.after(std::max(Duration{0}, *due - world_.now()), [this, life = life_, due] {
    if (is_up() && life == life_ && core_->next_deadline() == due) turn_later(Duration{0});
  });
}

// Drain, step, commit, and only then speak; it can die between any two of them.
void CoordinatorNode::turn() {
  has_turn_ = false;
  Effects effects;
  for (const Input& input : std::exchange(inbox_, {})) core_->step(world_.now(), input, effects);
  const auto due = core_->next_deadline();
  if (due && *due <= world_.now()) core_->step(world_.now(), Wake{}, effects);
  if (dies()) return;  // before the commit
  if (seeded_bug("ack_before_commit")) {
    if (!speak(effects) || !commit(effects)) return;
  } else {
    if (!commit(effects) || !speak(effects)) return;
  }
  wake_later();
}

// Returns: whether it survived.
bool CoordinatorNode::commit(const Effects& effects) {
  for (const Record& record : effects.records) {
    world_.note("record " + describe(record));
    kinds_.emplace(kind_of(record));
  }
  disk_.store().commit(effects.records, effects.points, world_.now().ms);
  truth_.committed(effects.records, effects.points);
  return !dies();
}

bool CoordinatorNode::speak(const Effects& effects) {
  for (const ToWorker& to : effects.messages) {
    send_(to.worker, to.message, core_->state().epoch());
    if (dies()) return false;  // between two sends
  }
  for (const Reply& reply : effects.replies) answer_(reply);
  return true;
}

void CoordinatorNode::check() const {
  State replayed;
  std::vector<Record> kept;
  disk_.store().replay([&](const Record& record) {
    replayed.apply(record);
    kept.push_back(record);
  });
  truth_.check_kept(kept);
  Truth::check_replay(core_->state(), replayed);
  Truth::check_counts(core_->state());
}

void CoordinatorNode::check_tables() const {
  const auto& folder = disk_.store().data_folder();
  Connection connection(database_file(folder), Connection::Mode::reader);
  if (connection.value_of("PRAGMA integrity_check") != Value("ok"))
    throw Violation("I6: the database is damaged");
  truth_.check_tables(Reader(folder), core_->state());
  truth_.check_tuning(core_->state());
}

}  // namespace ranktide::sim
