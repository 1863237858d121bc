#include "coordinator/edge/shell.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <spdlog/spdlog.h>
#include <utility>

#include "common/net/clock.h"
#include "common/vocabulary/failpoint.h"
#include "coordinator/edge/live_picture.h"

namespace ranktide {
namespace {

constexpr Duration kDrainMax{5};           // how long one turn takes messages in before it commits them
constexpr size_t kPointsPerTurn = 10'000;  // and how many points
constexpr Duration kWaitMax{5'000};  // whoever asks whether the turn still comes round hears it this often
constexpr Duration kPictureEvery{100};

size_t points_in(const FromWorker& input) {
  const auto* report = std::get_if<Report>(&input.message);
  return report == nullptr ? 0 : report->findings.points.size();
}

bool has_new_worker(const Effects& effects) {
  return std::any_of(effects.records.begin(), effects.records.end(),
                     [](const Record& record) { return std::holds_alternative<WorkerJoined>(record); });
}

// Returns: which life of the worker says so; null for what every life may say.
const std::string* boot_of(const WorkerMessage& message) {
  if (const auto* hello = std::get_if<Hello>(&message)) return &hello->boot;
  if (const auto* beat = std::get_if<Heartbeat>(&message)) return &beat->boot;
  return nullptr;
}

std::string reason_text(LeaveReason reason) {
  switch (reason) {
    case LeaveReason::drained:
      return "drained";
    case LeaveReason::silent:
      return "not heard for the term of its leases";
    case LeaveReason::replaced:
      return "another process with its key came";
    case LeaveReason::revoked:
      return "its key was revoked or has expired";
  }
  return "";
}

// A single message that nobody was told to end for is the echo of a dead process.
void warn_of_past_life(const WorkerName& worker, uint64_t heard, bool is_told) {
  if ((heard == 1 && !is_told) || !std::has_single_bit(heard)) return;
  spdlog::warn(
      "worker {}: a process that another one of the same key has replaced is still running, gets no work "
      "and is told to end ({} messages from it): was its folder copied to another machine? Give that one "
      "a folder and a join line of its own",
      worker.text, heard);
}

// A life that ends with its work done is no news; whoever lost it unasked may want to look.
void log_coming_or_going(const Record& record) {
  if (const auto* joined = std::get_if<WorkerJoined>(&record))
    spdlog::info("worker {} joined with {} slot(s), ranktide {}", joined->worker.text, joined->slots.size(),
                 joined->version);
  if (const auto* left = std::get_if<WorkerLeft>(&record))
    spdlog::log(left->reason == LeaveReason::silent ? spdlog::level::warn : spdlog::level::info,
                "worker {} left: {}", left->worker.text, reason_text(left->reason));
}

}  // namespace

Shell::Shell(CoordinatorConfig config, State replayed, Store& store, Router& router, Mailbox& mailbox)
    : coordinator_(config, std::move(replayed), boot_clock_now()),
      store_(store),
      router_(router),
      mailbox_(mailbox) {
  Effects effects;
  coordinator_.begin(effects);
  commit(effects);
  speak(effects);
  show_if_due();
}

void Shell::turn() {
  wait();
  const Effects effects = drain();
  commit(effects);
  forget_keys(effects);
  const bool is_quiet = effects.records.empty() && effects.points.empty() && effects.messages.empty();
  if (!is_quiet || router_.counters() != shown_link_) is_shown_ = false;
  // Whoever has an answer, or has read of a worker, finds it in the picture that requests are checked against.
  if (!effects.replies.empty() || has_new_worker(effects)) show();
  speak(effects);
  show_if_due();
}

void Shell::wait() {
  const Instant now = boot_clock_now();
  Instant until = now + kWaitMax;
  if (const auto due = coordinator_.next_deadline()) until = std::min(until, *due);
  if (!is_shown_) until = std::min(until, shown_.value_or(now) + kPictureEvery);
  router_.wait(until - now, mailbox_.doorbell());
}

// Requests first: a flood of points must not keep a user from cancelling.
Effects Shell::drain() {
  Effects out;
  const Instant begin = boot_clock_now();
  for (const WorkerName& worker : router_.take_revoked())
    coordinator_.step(boot_clock_now(), KeysRevoked{worker}, out);
  for (const Input& input : mailbox_.take()) {
    if (std::holds_alternative<RevokeWorker>(input)) router_.look_at_keys();  // nothing more of it is taken
    coordinator_.step(boot_clock_now(), input, out);
  }
  bool is_idle = out.records.empty();
  for (size_t points = 0; points < kPointsPerTurn && boot_clock_now() - begin < kDrainMax;) {
    const std::optional<FromWorker> message = router_.receive();
    if (!message) break;
    is_idle = false;
    points += points_in(*message);
    const uint64_t heard = count_past_life(*message);
    const size_t said = out.messages.size();
    coordinator_.step(boot_clock_now(), *message, out);
    if (heard > 0) warn_of_past_life(message->sender, heard, out.messages.size() > said);
  }
  const Instant now = boot_clock_now();
  if (const auto due = coordinator_.next_deadline(); due && *due <= now) coordinator_.step(now, Wake{}, out);
  if (is_idle && out.records.empty()) store_.checkpoint_when_idle();
  return out;
}

void Shell::commit(const Effects& effects) {
  if (effects.records.empty() && effects.points.empty()) return;
  pass_failpoint("before_commit");
  const auto begin = std::chrono::steady_clock::now();
  store_.commit(effects.records, effects.points, wall_clock_ms());
  measures_.committed(effects, boot_clock_now(), std::chrono::steady_clock::now() - begin);
  pass_failpoint("after_commit");
  for (const Record& record : effects.records) log_coming_or_going(record);
  records_committed_ += effects.records.size();
  for (const PointBatch& batch : effects.points) points_committed_ += batch.points.size();
}

// Once the worker is forgotten for good: a process that ends between leaves a key of a name that the list does
// not have, and to forget it again takes that, too.
void Shell::forget_keys(const Effects& effects) {
  for (const Record& record : effects.records) {
    const auto* forgotten = std::get_if<WorkerForgotten>(&record);
    if (!forgotten) continue;
    try {
      router_.forget_keys(forgotten->worker);
    } catch (const KeyError& error) {
      spdlog::error("worker {} is forgotten, but its key is not: {}; ask for it once more",
                    forgotten->worker.text, error.what());
    }
  }
}

// Returns: how often the life that says so was heard since another one replaced it; 0: none did. Before the
// step: a life that this Hello replaces is no past one yet.
uint64_t Shell::count_past_life(const FromWorker& input) {
  const std::string* boot = boot_of(input.message);
  const Worker* worker = boot ? state().find_worker(input.sender) : nullptr;
  return worker ? past_lives_.heard(input.sender, *boot, worker->past_boots) : 0;
}

// A message that the router cannot send is lost here: the core says it again when the worker is heard next.
void Shell::speak(const Effects& effects) {
  for (const ToWorker& message : effects.messages) router_.send(message, state().epoch());
  measures_.said(effects);
  if (!effects.messages.empty()) pass_failpoint("after_send");
  for (const Reply& reply : effects.replies) mailbox_.answer(reply);
}

void Shell::show_if_due() {
  if (is_shown_ || (shown_ && boot_clock_now() < *shown_ + kPictureEvery)) return;
  show();
}

void Shell::show() {
  shown_ = boot_clock_now();
  is_shown_ = true;
  LivePicture picture = picture_of(coordinator_);
  picture.records = records_committed_;
  picture.points = points_committed_;
  picture.measures = measures_;
  picture.link = shown_link_ = router_.counters();
  mailbox_.show(std::move(picture));
}

}  // namespace ranktide
