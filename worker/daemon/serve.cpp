#include "worker/daemon/serve.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <pthread.h>
#include <random>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/net/clock.h"
#include "common/net/keys.h"
#include "common/vocabulary/check.h"
#include "worker/agent/agent.h"
#include "worker/daemon/artifact_child.h"
#include "worker/daemon/gpu_memory.h"
#include "worker/daemon/kept_artifacts.h"
#include "worker/daemon/link.h"
#include "worker/daemon/spool.h"
#include "worker/daemon/stretch.h"
#include "worker/daemon/trainer_slot.h"
#include "worker/daemon/work_folder.h"

namespace ranktide {
namespace {

constexpr const char* kKeyName = "worker";
constexpr Duration kWaitMax{
    1'000};  // a child whose pipes a stray process holds open, and the end of the time, are noticed by then
constexpr Duration kArtifactWaitMax{600'000};
constexpr Duration kEarlyWaitMax{30'000};  // for the coordinator to be asked once more about an early one
constexpr Duration kDrainWaitMax{15'000};  // for acks of what is spooled, once no trainer works any more

std::string random_boot() {
  std::random_device device;
  std::string out;
  for (int i = 0; i < 4; ++i) out += fmt::format("{:08x}", device());
  return out;
}

// Requires: neither LinkRevoked nor LinkExpired, which are no news for the agent: it ends with its worker.
AgentInput to_input(LinkEvent event) {
  if (std::holds_alternative<LinkUp>(event)) return Connected{};
  if (std::holds_alternative<LinkDown>(event)) return Disconnected{};
  auto& message = std::get<LinkMessage>(event);
  return FromCoordinator{.epoch = message.epoch, .message = std::move(message.message)};
}

int open_wake() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "no descriptor to wake the worker by");
  return fd;
}

// Signals are the main thread's; and a trainer that died must show as its end, not as SIGPIPE.
void leave_signals_to_others() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::filesystem::path keys_folder_of(const WorkerServiceConfig& config) {
  return config.keys_folder.empty() ? config.work_folder / "keys" : config.keys_folder;
}

ChildConfig trainer_of(const WorkerServiceConfig& config, const Slot& slot) {
  ChildConfig out{.program = config.trainer,
                  .arguments = {"serve", "--work-dir", config.work_folder.string(), "--threads",
                                std::to_string(slot.threads)},
                  .threads = slot.threads,
                  .gpu = slot.device == "cpu" ? "" : slot.device};
  out.arguments.insert(out.arguments.end(), config.trainer_arguments.begin(), config.trainer_arguments.end());
  return out;
}

// `word`: what `ranktide` is to do beside the daemon.
ChildConfig own_process_of(const WorkerServiceConfig& config, const std::string& word) {
  return {.program = config.inputs_program,
          .arguments = {word, "--work-dir=" + config.work_folder.string(),
                        "--keys-dir=" + keys_folder_of(config).string(),
                        "--inputs-max=" + std::to_string(config.input_copies_bytes_max),
                        "--artifacts-max=" + std::to_string(config.artifacts_bytes_max),
                        "--coordinator-key=" + config.coordinator_key},
          .gpu = ""};
}

// Returns: where the coordinator serves files: at its address for the link, on another port; empty: nowhere.
std::string bulk_endpoint_of(const std::string& link_endpoint, int port) {
  if (port == 0) return "";
  return link_endpoint.substr(0, link_endpoint.rfind(':') + 1) + std::to_string(port);
}

}  // namespace

struct WorkerService::Parts {
  explicit Parts(const WorkerServiceConfig& config);

  void wait(int wake_fd);
  void step(const AgentInput& input) { agent.step(boot_clock_now(), input, effects); }
  void take_inputs();
  void take_link_events();
  void on_link(LinkEvent& event);
  void hear_of_bulk_port(const LinkEvent& event);
  bool waits_for_artifacts();
  bool was_never_heard() const { return !was_connected && agent.is_idle(); }
  void carry_out();
  void note_use(const TrainerAction& action);
  void note_unfitness(const AgentInput& input);
  void forget_unused();

  WorkFolder folder;
  std::string coordinator_endpoint;
  Link link;
  Spool spool;
  Agent agent;
  std::map<int, TrainerSlot> slots;
  ArtifactChild artifacts;
  GpuMemory gpu_memory;
  AgentEffects effects;              // of this turn
  std::optional<WorkerEnd> refused;  // for good
  bool was_connected = false;        // at least once
  bool is_unfit = false;             // no trainer can start here
  Stretch idle;                      // since when there is nothing to do
  Stretch sending;                   // since when a drain waits for artifacts to be sent
  Stretch unheard;                   // since when a drain waits for nothing but the coordinator
  Duration unused_looked_for_every;
  Instant look_for_unused_at;
  std::vector<UnitId> unused;  // when it was looked last, and not forgotten yet
};

WorkerService::Parts::Parts(const WorkerServiceConfig& config)
    : folder(config.work_folder),
      coordinator_endpoint(config.coordinator_endpoint),
      link({.endpoint = config.coordinator_endpoint,
            .coordinator_key = config.coordinator_key,
            .keys = load_or_make_key_pair(keys_folder_of(config), kKeyName)}),
      spool(folder.spool()),
      agent({.boot = random_boot(), .version = config.version, .slots = config.slots, .once = config.once},
            boot_clock_now()),
      artifacts(config.sends_artifacts ? own_process_of(config, "send-artifacts") : ChildConfig{},
                folder.logs() / "artifacts.log"),
      gpu_memory(config.slots, config.gpu_library),
      unused_looked_for_every(config.unused_looked_for_every),
      look_for_unused_at(boot_clock_now() + unused_looked_for_every) {
  for (const Slot& slot : config.slots)
    slots.try_emplace(slot.index, slot.index, trainer_of(config, slot),
                      InputSlot(own_process_of(config, "find-inputs")), folder.logs());
  step(SpoolLoaded{.attempts = spool.load()});
  carry_out();
}

void WorkerService::Parts::wait(int wake_fd) {
  std::vector<pollfd> descriptors{{.fd = wake_fd, .events = POLLIN, .revents = 0}};
  for (const auto& [index, slot] : slots)
    for (const pollfd& item : slot.pollfds()) descriptors.push_back(item);
  for (const pollfd& item : artifacts.pollfds()) descriptors.push_back(item);
  Duration timeout = kWaitMax;
  if (const auto due = agent.next_deadline())
    timeout = std::clamp(*due - boot_clock_now(), Duration(0), kWaitMax);
  link.wait(timeout, descriptors);
  uint64_t rings = 0;
  if (descriptors.front().revents != 0 && ::read(wake_fd, &rings, sizeof rings) < 0) RT_CHECK(errno == EAGAIN);
}

void WorkerService::Parts::take_link_events() {
  for (LinkEvent& event : link.take_events()) on_link(event);
}

void WorkerService::Parts::on_link(LinkEvent& event) {
  hear_of_bulk_port(event);
  was_connected = was_connected || std::holds_alternative<LinkUp>(event);
  if (std::holds_alternative<LinkRevoked>(event))
    refused = WorkerEnd::revoked;
  else if (std::holds_alternative<LinkExpired>(event))
    refused = WorkerEnd::expired;
  else
    step(to_input(std::move(event)));
}

void WorkerService::Parts::hear_of_bulk_port(const LinkEvent& event) {
  const auto* message = std::get_if<LinkMessage>(&event);
  const auto* welcome = message ? std::get_if<Welcome>(&message->message) : nullptr;
  if (!welcome) return;
  const std::string endpoint = bulk_endpoint_of(coordinator_endpoint, welcome->bulk_port);
  for (auto& [index, slot] : slots) slot.serve_files_from(endpoint);
  artifacts.send_to(endpoint);
}

// What was trained last is worth a while: where the folder ends with the job, it is the only copy. What the
// coordinator would not have is not waited for.
bool WorkerService::Parts::waits_for_artifacts() {
  if (!artifacts.is_sending()) return false;
  const bool is_awaited = !awaited_artifacts(folder.path()).empty();
  if (!is_awaited && early_artifacts(folder.path()).empty()) return false;
  return !sending.has_lasted(true, is_awaited ? kArtifactWaitMax : kEarlyWaitMax, boot_clock_now());
}

void WorkerService::Parts::take_inputs() {
  take_link_events();
  artifacts.tend(boot_clock_now());
  if (auto devices = gpu_memory.take(boot_clock_now())) step(DevicesMeasured{*std::move(devices)});
  for (auto& [index, slot] : slots)
    for (const AgentInput& input : slot.take_inputs()) {
      note_unfitness(input);
      step(input);
    }
  if (const auto due = agent.next_deadline(); due && *due <= boot_clock_now()) step(AgentWake{});
}

// On disk before on the wire: a report that the coordinator could ask for again must be there to be sent again.
void WorkerService::Parts::carry_out() {
  const AgentEffects now = std::exchange(effects, {});
  for (const UnitId& unit : now.over) folder.forget(unit);
  spool.apply(now.spool);
  for (const WorkerMessage& message : now.messages) link.send(message, agent.epoch());
  for (const TrainerAction& action : now.trainers) {
    note_use(action);
    std::visit([&](const auto& a) { slots.at(a.slot).on(a); }, action);
  }
}

void WorkerService::Parts::note_use(const TrainerAction& action) {
  const auto* send = std::get_if<SendTrainer>(&action);
  const auto* run = send ? std::get_if<RunWork>(&send->command) : nullptr;
  if (run) folder.use(run->lease.unit);
}

// Once: of several slots each would say the same.
void WorkerService::Parts::note_unfitness(const AgentInput& input) {
  const auto* died = std::get_if<TrainerDied>(&input);
  if (!died || died->kind != OutcomeKind::stopped || std::exchange(is_unfit, true)) return;
  spdlog::critical("slot {}: no trainer can start here ({}), so the worker gives its work back and ends:\n{}",
                   died->slot, died->message, died->log_tail);
}

// One a turn: to remove large checkpoints from a slow disk takes long, and a turn without a heartbeat must not.
void WorkerService::Parts::forget_unused() {
  if (boot_clock_now() >= look_for_unused_at) {
    look_for_unused_at = boot_clock_now() + unused_looked_for_every;
    unused = folder.unused_for(kResumesKept);
  }
  if (unused.empty()) return;
  const UnitId unit = unused.back();
  unused.pop_back();
  if (folder.forget_unused(unit, kResumesKept))
    spdlog::info("{} was not gone on with for {} days: what was kept for that is removed", unit.brief(),
                 kResumesKept.count() / 24);
}

WorkerService::WorkerService(const WorkerServiceConfig& config)
    : max_idle_(config.max_idle), time_(config.time), after_turn_(config.after_turn), wake_fd_(open_wake()) {
  try {
    auto parts = std::make_unique<Parts>(config);
    thread_ = std::thread([this, parts = std::move(parts)]() mutable {
      serve(*parts);
      parts.reset();
      ended_ = true;
    });
  } catch (...) {
    ::close(wake_fd_);
    throw;
  }
}

WorkerService::~WorkerService() {
  stop_now();
  wait();
  ::close(wake_fd_);
}

void WorkerService::serve(Parts& parts) {
  leave_signals_to_others();
  try {
    const WorkerEnd end = serve_to_the_end(parts);
    end_ = end == WorkerEnd::drained && parts.is_unfit ? WorkerEnd::unfit : end;
  } catch (const std::exception& error) {
    spdlog::critical("the worker ends: {}", error.what());
  }
}

WorkerEnd WorkerService::serve_to_the_end(Parts& parts) {
  bool is_draining = false, takes_work = true;
  for (;;) {
    if (wish_ == kStop) return WorkerEnd::stopped;
    if (parts.refused) return *parts.refused;
    if (parts.agent.is_replaced()) return WorkerEnd::replaced;
    if (parts.agent.is_drained() && !parts.waits_for_artifacts()) return WorkerEnd::drained;
    if (is_draining && parts.was_never_heard()) return WorkerEnd::drained;
    const bool waits_for_acks = is_draining && !parts.agent.is_working() && !parts.agent.is_drained();
    if (parts.unheard.has_lasted(waits_for_acks, kDrainWaitMax, boot_clock_now())) {
      spdlog::warn("{}", parts.agent.is_idle()
                             ? "the coordinator was not heard; nothing is left to send"
                             : "nobody took what is spooled; the next worker in this folder sends it");
      return WorkerEnd::drained;
    }
    parts.wait(wake_fd_);
    parts.take_inputs();
    if (is_over(&WorkerTime::last_work) && std::exchange(takes_work, false)) parts.step(LastWork{});
    if (is_to_drain(parts) && !std::exchange(is_draining, true)) parts.step(DrainRequested{});
    parts.carry_out();
    parts.forget_unused();
    if (after_turn_) after_turn_();
  }
}

bool WorkerService::is_to_drain(Parts& parts) const {
  const bool is_idle = parts.idle.has_lasted(parts.agent.is_idle(), max_idle_, boot_clock_now());
  return wish_ == kDrain || parts.is_unfit || (max_idle_ > Duration(0) && is_idle) ||
         is_over(&WorkerTime::drain);
}

bool WorkerService::is_over(Instant WorkerTime::*limit) const {
  return time_ && (*time_).*limit <= boot_clock_now();
}

void WorkerService::drain() {
  wish(kDrain);
}
void WorkerService::stop_now() {
  wish(kStop);
}

void WorkerService::wish(Wish wish) {
  int now = wish_;
  while (now < wish && !wish_.compare_exchange_weak(now, wish)) {
  }
  const uint64_t one = 1;
  if (::write(wake_fd_, &one, sizeof one) < 0) return;  // its counter is full: it is readable already
}

void WorkerService::wait() {
  if (thread_.joinable()) thread_.join();
}

std::string worker_public_key(const std::filesystem::path& keys_folder) {
  return load_or_make_key_pair(keys_folder, kKeyName).public_key;
}

}  // namespace ranktide
