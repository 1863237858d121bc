#include "cli/slurm_end.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <spdlog/spdlog.h>
#include <string>

#include "common/net/clock.h"

namespace ranktide::cli {
namespace {

constexpr Duration kNoNewWork{300'000};
constexpr Duration kForCheckpoints{120'000};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool is_all = error == std::errc{} && end == text.data() + text.size() && out > 0;
  return is_all ? std::optional(out) : std::nullopt;
}

// Returns: the first line that a command prints; empty when it fails.
std::string line_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "re"), ::pclose);
  char line[256] = "";
  if (!pipe || !std::fgets(line, sizeof line, pipe.get())) return "";
  return line;
}

// squeue prints this machine's local time, and N/A or NONE where there is no limit.
std::optional<int64_t> local_time(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::nullopt;
  parts.tm_isdst = -1;
  const std::time_t out = std::mktime(&parts);
  return out > 0 ? std::optional<int64_t>(out) : std::nullopt;
}

std::string minutes(Duration d) {
  return fmt::format("{:.1f} min", static_cast<double>(d.count()) / 60'000);
}

}  // namespace

std::optional<int64_t> slurm_job_end() {
  if (const auto told = whole_number(variable("SLURM_JOB_END_TIME"))) return told;
  const auto job = whole_number(variable("SLURM_JOB_ID"));
  if (!job) return std::nullopt;
  // A Slurm that does not answer must not keep the worker from starting.
  return local_time(line_of(fmt::format(
      "SLURM_TIME_FORMAT=standard timeout 10 squeue --noheader --jobs={} --format=%e 2>/dev/null", *job)));
}

WorkerTime slurm_worker_time(Instant now, Duration left) {
  const Instant end = now + left;
  return {.last_work = end - std::min(kNoNewWork, left / 4),
          .drain = end - std::min(kForCheckpoints, left / 10)};
}

std::optional<WorkerTime> slurm_worker_time() {
  const auto end_s = slurm_job_end();
  if (!end_s) {
    spdlog::warn("when this Slurm job ends is not known: only its signals will tell");
    return std::nullopt;
  }
  const Instant now = boot_clock_now();
  const Duration left{std::max<int64_t>(0, *end_s * 1000 - wall_clock_ms())};
  const WorkerTime out = slurm_worker_time(now, left);
  spdlog::info("this Slurm job ends in {}: no new work from {} on, checkpoints at {}", minutes(left),
               minutes(out.last_work - now), minutes(out.drain - now));
  return out;
}

}  // namespace ranktide::cli
