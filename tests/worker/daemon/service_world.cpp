#include "tests/worker/daemon/service_world.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "common/net/keys.h"
#include "common/net/worker_keys.h"
#include "tests/sim/sweep_for_tests.h"

extern char** environ;

namespace ranktide {
namespace {

std::string text_of_value(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return std::to_string(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "";
}

bool is_free(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return is_bound;
}

}  // namespace

CoordinatorConfig quick_terms() {
  return {.heartbeat = Duration(200),
          .lease = Duration(6'000),
          .suspect_after = Duration(3'000),
          .backoff_min = Duration(100),
          .backoff_max = Duration(400)};
}

SweepSpec sweep_of(const SweepOfSeeds& wish) {
  SweepSpec spec = sweep_for_tests({.steps = wish.steps, .run = wish.run});
  spec.seeds = wish.seeds;
  spec.run.lease_ms = 6'000;
  return spec;
}

std::string free_endpoint() {
  constexpr int kLanes = 125, kPorts = 64;  // of each lane; programs that run at once mostly have their own
  static int given = 0;
  const int first = 12'000 + ::getpid() % kLanes * kPorts;
  for (int tries = 0; tries < kPorts; ++tries) {
    const int port = first + given++ % kPorts;
    if (is_free(static_cast<uint16_t>(port))) return "tcp://127.0.0.1:" + std::to_string(port);
  }
  ADD_FAILURE() << "all of the ports " << first << " to " << first + kPorts - 1 << " are in use";
  return "tcp://127.0.0.1:*";
}

bool eventually(const std::function<bool()>& holds, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

ServiceProcess::ServiceProcess(const std::vector<std::string>& arguments, const std::string& failpoint) {
  std::vector<std::string> words{RANKTIDE_SERVICE_PROCESS};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string setting = "RANKTIDE_FAILPOINT=" + failpoint;
  std::vector<char*> environment{setting.data()};
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  environment.push_back(nullptr);
  EXPECT_EQ(posix_spawn(&pid_, words[0].c_str(), nullptr, nullptr, argv.data(), environment.data()), 0);
}

ServiceProcess::~ServiceProcess() {
  kill_9();
}

void ServiceProcess::kill_9() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  reaped_ = true;
}

void ServiceProcess::terminate() {
  ::kill(pid_, SIGTERM);
}

bool ServiceProcess::has_ended() {
  if (!reaped_ && ::waitpid(pid_, nullptr, WNOHANG) == pid_) reaped_ = true;
  return reaped_;
}

void ServiceWorld::make_keys() {
  coordinator_key_ = load_or_make_key_pair(data() / "keys", "coordinator").public_key;
  authorise_worker(data() / "keys" / "workers", worker_public_key(work() / "keys"), WorkerName{"w1"});
}

void ServiceWorld::start_coordinator(const std::string& endpoint) {
  make_keys();
  coordinator = std::make_unique<CoordinatorService>(
      CoordinatorServiceConfig{.data_folder = data(), .endpoint = endpoint, .core = quick_terms()});
}

void ServiceWorld::start_worker(int slots, int step_ms) {
  WorkerServiceConfig config{.work_folder = work(),
                             .coordinator_endpoint = coordinator->endpoint(),
                             .coordinator_key = coordinator_key_,
                             .trainer = trainer,
                             .trainer_arguments = {"--step-ms", std::to_string(step_ms)},
                             .inputs_program = inputs_program,
                             .sends_artifacts = sends_artifacts};
  if (!trainers_can_start) config.trainer_arguments.emplace_back("--bad-start");
  for (int i = 0; i < slots; ++i)
    config.slots.push_back({.index = i, .device = "cpu", .memory_bytes = 1LL << 30});
  if (!gpu.empty()) config.slots.at(0).device = gpu;
#ifdef RANKTIDE_FAKE_NVML
  config.gpu_library = RANKTIDE_FAKE_NVML;
#endif
  worker = std::make_unique<WorkerService>(config);
}

std::unique_ptr<ServiceProcess> ServiceWorld::coordinator_process(const std::string& endpoint,
                                                                  const std::string& failpoint) {
  return std::make_unique<ServiceProcess>(std::vector<std::string>{"coordinator", data().string(), endpoint},
                                          failpoint);
}

std::unique_ptr<ServiceProcess> ServiceWorld::worker_process(const std::string& endpoint, int step_ms) {
  return std::make_unique<ServiceProcess>(std::vector<std::string>{
      "worker", work().string(), endpoint, coordinator_key_, RANKTIDE_FAKE_TRAINER, std::to_string(step_ms)});
}

SweepNumber ServiceWorld::submit(const SweepSpec& spec, const std::string& request_id) {
  const Answer answer = coordinator->submit({.request_id = request_id, .spec = spec});
  const auto* submitted = std::get_if<Submitted>(&answer);
  if (submitted != nullptr) return submitted->sweep;
  const auto* rejected = std::get_if<Rejected>(&answer);
  ADD_FAILURE() << (rejected != nullptr ? rejected->reason : "a strange answer");
  return 0;
}

std::optional<SweepPicture> ServiceWorld::sweep(SweepNumber number) const {
  for (const SweepPicture& each : coordinator->live().sweeps)
    if (each.number == number) return each;
  return std::nullopt;
}

bool ServiceWorld::wait_until_over(SweepNumber number) {
  return eventually([&] {
    const auto picture = sweep(number);
    return picture && picture->is_over;
  });
}

std::vector<std::string> ServiceWorld::select(const std::string& sql) const {
  std::vector<std::string> out;
  for (const std::vector<Value>& row : Reader(data()).select(sql).rows) out.push_back(text_of_value(row.at(0)));
  return out;
}

int64_t ServiceWorld::count(const std::string& from_where) const {
  return std::stoll(select("SELECT count(*) FROM " + from_where).at(0));
}

}  // namespace ranktide
