// A trainer without training: speaks the trainer protocol on descriptors 3 and 4, says the losses of a formula,
// and fails in the ways that seeds 1000 and up ask for. Checkpoints are files with a step in them.
//   fake_trainer serve --work-dir DIR --threads N [--step-ms M] [--times DIR] [--bad-start]
// --times: DIR/<process> gets a line for each work, of the wall clock in ns when it came and when its end was
// said. --bad-start: it ends as a trainer without its device does.

#include "tests/worker/daemon/fake_trainer.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <poll.h>
#include <string>
#include <thread>
#include <unistd.h>

#include "common/vocabulary/trainer_protocol.h"

namespace ranktide {
namespace {

constexpr Step kStepsALine = 50;  // in the log

void say(const TrainerReport& report) {
  std::string bytes = encode(report);
  while (!bytes.empty()) {
    const ssize_t n = ::write(kTrainerReportFd, bytes.data(), bytes.size());
    if (n <= 0) std::exit(0);  // the worker is gone
    bytes.erase(0, static_cast<size_t>(n));
  }
}

class Commands {
 public:
  // Returns: the next command, waiting for it; ends the process when the worker closes the pipe.
  TrainerCommand next() {
    for (;;) {
      if (auto command = take_command(buffer_)) return *command;
      read_some();
    }
  }
  // Returns: whether a command has come that was not taken yet.
  bool has_news() {
    pollfd item{.fd = kTrainerCommandFd, .events = POLLIN, .revents = 0};
    return !buffer_.empty() || ::poll(&item, 1, 0) > 0;
  }

 private:
  void read_some() {
    char bytes[4096];
    const ssize_t n = ::read(kTrainerCommandFd, bytes, sizeof bytes);
    if (n <= 0) std::exit(0);
    buffer_.append(bytes, static_cast<size_t>(n));
  }
  std::string buffer_;
};

struct Checkpoint {
  std::filesystem::path file;
  Step load() const {
    Step step = 0;
    std::ifstream(file) >> step;
    return step;
  }
  void save(Step step) const { std::ofstream(file) << step; }
};

// Ends the process, or never returns, when the seed asks for it here.
void misbehave(uint64_t seed, Attempt attempt, Step step) {
  if (step != 2) return;
  std::fprintf(stderr, "the last line before seed %lu\n", static_cast<unsigned long>(seed));
  if (seed == kCrashes || (seed == kCrashesOnce && attempt == 1)) {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
  }
  if (seed == kExitsWithThree) std::_Exit(3);
  if (seed == kRunsOutOfMemory) {
    std::fprintf(stderr, "terminate called after throwing an instance of 'std::bad_alloc'\n");
    std::signal(SIGABRT, SIG_DFL);
    std::raise(SIGABRT);
  }
  if (seed == kSpeaksNonsense) (void)!::write(kTrainerReportFd, "\xff\xff\xff\xff nonsense", 13);
  if (seed == kHangs || seed == kSpeaksNonsense)
    for (;;) ::pause();
}

void run_evals(const RunWork& run, Step at) {
  for (const EvalOrder& order : run.work.evals)
    if (order.at == at || run.work.kind == WorkKind::evaluate)
      say(WorkFound{
          .lease = run.lease,
          .findings = {.evals = {{.id = order.id, .metric = "loss", .value = 2, .sign = -1, .n = 10}}}});
}

int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class Trainer {
 public:
  Trainer(std::filesystem::path work_dir, int step_ms, const std::filesystem::path& times)
      : work_dir_(std::move(work_dir)), step_ms_(step_ms) {
    if (!times.empty()) times_.open(times / std::to_string(::getpid()));
  }

  [[noreturn]] void serve() {
    say(TrainerReady{.numerics = 1, .threads = 1, .isa = "none", .device = "cpu"});
    for (;;) {
      const TrainerCommand command = commands_.next();
      const auto* run = std::get_if<RunWork>(&command);
      if (!run) continue;
      const int64_t came = wall_clock_ns();
      say(WorkEnded{.lease = run->lease, .outcome = carry_out(*run)});
      if (times_.is_open()) times_ << came << " " << wall_clock_ns() << std::endl;
    }
  }

 private:
  Outcome carry_out(const RunWork& run) {
    if (run.work.kind == WorkKind::train) return train(run);
    run_evals(run, 0);
    return {};
  }

  Outcome train(const RunWork& run) {
    const Stage& stage = *run.work.stage;
    for (const DataSource& source : stage.settings.data.train)
      if (!run.work.inputs.empty()) std::fprintf(stderr, "trains on %s\n", source.path.c_str());
    const std::filesystem::path folder = work_dir_ / "checkpoints" / stage.id.text;
    std::filesystem::create_directories(folder);
    const Checkpoint checkpoint{folder / "step"};
    const Step begin = checkpoint.load();
    if (begin == 0) run_evals(run, 0);
    if (begin > 0) std::fprintf(stderr, "goes on after step %ld\n", static_cast<long>(begin));
    for (Step step = begin + 1; step <= stage.to; ++step) {
      misbehave(stage.settings.seed, run.lease.attempt, step);
      std::this_thread::sleep_for(std::chrono::milliseconds(step_ms_));
      say(WorkFound{.lease = run.lease,
                    .findings = {.points = {{step, "loss", fake_loss(stage.settings.seed, step)}}}});
      if (step % kStepsALine == 0) std::fprintf(stderr, "step %ld\n", static_cast<long>(step));
      if (stage.settings.seed == kDiverges) return {.kind = OutcomeKind::diverged, .step = step};
      if (!commands_.has_news()) continue;
      (void)commands_.next();  // one work at a time: it can only be StopWork
      checkpoint.save(step);
      say(WorkFound{.lease = run.lease, .findings = {.checkpoint = step}});
      return {.kind = OutcomeKind::stopped, .step = step};
    }
    run_evals(run, stage.to);
    return {.step = stage.to, .weights_sha256 = std::string(64, 'a')};
  }

  std::filesystem::path work_dir_;
  int step_ms_;
  std::ofstream times_;
  Commands commands_;
};

}  // namespace
}  // namespace ranktide

int main(int argc, char** argv) {
  std::filesystem::path work_dir, times;
  int step_ms = 1;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string(argv[i]) == "--work-dir") work_dir = argv[i + 1];
    if (std::string(argv[i]) == "--step-ms") step_ms = std::atoi(argv[i + 1]);
    if (std::string(argv[i]) == "--times") times = argv[i + 1];
  }
  for (int i = 1; i < argc; ++i)
    if (std::string(argv[i]) == "--bad-start") {
      std::fprintf(stderr, "error: --device cuda: there is none\n");
      return 78;
    }
  ranktide::Trainer(work_dir, step_ms, times).serve();
}
