#include "coordinator/edge/metrics.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>

namespace ranktide {
namespace {

// Families one after the other, each with its help, its type and its samples.
class MetricsText {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    fmt::format_to(std::back_inserter(out_), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  template <class T>
  void sample(T value, const std::string& labels = "") {
    sample_as("", value, labels);
  }
  template <class T>
  void one(const char* name, const char* type, const char* help, T value) {
    family(name, type, help);
    sample(value);
  }
  template <size_t N>
  void histogram(const char* name, const char* help, const Histogram<N>& h) {
    family(name, "histogram", help);
    for (size_t i = 0; i < N; ++i)
      sample_as("_bucket", h.up_to_bound[i], fmt::format("le=\"{}\"", h.bounds[i]));
    sample_as("_bucket", h.count, "le=\"+Inf\"");
    sample_as("_sum", h.sum, "");
    sample_as("_count", h.count, "");
  }
  std::string take() { return std::move(out_); }

 private:
  template <class T>
  void sample_as(const char* suffix, T value, const std::string& labels) {
    const std::string braced = labels.empty() ? "" : "{" + labels + "}";
    fmt::format_to(std::back_inserter(out_), "{}{}{} {}\n", name_, suffix, braced, value);
  }

  std::string name_;
  std::string out_;
};

std::string label(const char* name, std::string_view value) {
  std::string out = std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

LifeCounts stages_of(const LivePicture& picture) {
  LifeCounts out{};
  for (const SweepPicture& sweep : picture.sweeps)
    for (size_t i = 0; i < out.size(); ++i) out[i] += sweep.stages[i];
  return out;
}

int64_t queue_depth(const LivePicture& picture) {
  constexpr auto ready = static_cast<size_t>(UnitLife::ready);
  int64_t out = 0;
  for (const SweepPicture& sweep : picture.sweeps) out += sweep.stages[ready] + sweep.eval_units[ready];
  return out;
}

void tell_work(MetricsText& out, const LivePicture& picture) {
  out.family("ranktide_trials", "gauge", "Trials listed by the newest revision of each sweep, by state.");
  const LifeCounts stages = stages_of(picture);
  for (size_t i = 0; i < stages.size(); ++i)
    out.sample(stages[i], label("state", EnumTexts<UnitLife>::texts[i]));
  int64_t stopped_early = 0;
  for (const SweepPicture& sweep : picture.sweeps) stopped_early += sweep.stopped_early;
  out.sample(stopped_early, label("state", "stopped_early"));
  out.one("ranktide_queue_depth", "gauge", "Units listed and waiting for a slot.", queue_depth(picture));
  int64_t workers = 0, slots = 0, running = 0;
  for (const WorkerPicture& worker : picture.workers) {
    if (!worker.is_joined) continue;
    ++workers;
    slots += worker.slots;
    running += worker.running;
  }
  out.one("ranktide_workers", "gauge", "Workers that have joined.", workers);
  out.family("ranktide_slots", "gauge", "Slots of joined workers, and units running on them.");
  out.sample(slots, label("kind", "all"));
  out.sample(running, label("kind", "running"));
}

// A label per worker, and per GPU: few, and each is somebody's to look after.
void tell_workers(MetricsText& out, const MetricsInput& input) {
  const auto each = [&](const auto& tell) {
    for (const WorkerPicture& worker : input.picture.workers)
      if (worker.pulse) tell(label("worker", worker.name.text), *worker.pulse);
  };
  out.family("ranktide_heartbeat_lag_seconds", "gauge", "How long ago a joined worker was heard.");
  each([&](const std::string& worker, const Pulse& pulse) {
    out.sample(static_cast<double>(std::max<int64_t>(0, (input.now - pulse.heard).count())) / 1'000, worker);
  });
  out.family("ranktide_entries_resent_total", "counter",
             "Reports that a worker's process said more than once.");
  each([&](const std::string& worker, const Pulse& pulse) { out.sample(pulse.resent, worker); });
  out.family("ranktide_gpu_memory_used_bytes", "gauge", "Memory of a worker's GPU that is taken, by anybody.");
  each([&](const std::string& worker, const Pulse& pulse) {
    for (const DeviceUse& gpu : pulse.devices)
      out.sample(gpu.memory_used_bytes, worker + "," + label("gpu", gpu.device));
  });
  out.family("ranktide_gpu_memory_bytes", "gauge", "Memory of a worker's GPU.");
  each([&](const std::string& worker, const Pulse& pulse) {
    for (const DeviceUse& gpu : pulse.devices)
      out.sample(gpu.memory_bytes, worker + "," + label("gpu", gpu.device));
  });
}

void tell_turn(MetricsText& out, const LivePicture& picture) {
  const TurnMeasures& turn = picture.measures;
  out.histogram("ranktide_trial_seconds", "Training time of completed trials.", turn.trial_seconds);
  out.histogram("ranktide_commit_seconds", "Time to make a turn durable.", turn.commit_seconds);
  out.one("ranktide_records_total", "counter", "Records committed.", picture.records);
  out.one("ranktide_points_total", "counter", "Metric points committed.", picture.points);
  out.one("ranktide_lease_expired_total", "counter", "Leases whose worker was silent too long.",
          turn.leases_expired);
  out.one("ranktide_fenced_total", "counter", "Messages that ended an attempt which was no longer wanted.",
          turn.fenced);
  out.one("ranktide_acks_total", "counter", "Answers that what a worker reported is durable.", turn.acks);
}

void tell_link(MetricsText& out, const MetricsInput& input) {
  const RouterCounters& link = input.picture.link;
  out.one("ranktide_messages_received_total", "counter", "Messages of enrolled workers.", link.received);
  out.one("ranktide_messages_malformed_total", "counter", "Messages dropped as malformed.", link.malformed);
  out.one("ranktide_messages_sent_total", "counter", "Messages handed to workers' connections.", link.sent);
  out.one("ranktide_messages_unsent_total", "counter", "Messages not sent: peer gone or queue full.",
          link.unsent);
  out.family("ranktide_auth_refused_total", "counter", "Who was turned away, by door and reason.");
  out.sample(link.handshakes_refused, "door=\"workers\",reason=\"handshake\"");
  out.sample(link.unauthorised, "door=\"workers\",reason=\"key\"");
  for (const RefusalCount& refused : input.doors)
    out.sample(refused.count->load(), label("door", refused.door) + "," + label("reason", refused.reason));
  for (const auto& [reason, count] : input.http.refusals)
    out.sample(count, "door=\"http\"," + label("reason", reason));
  out.one("ranktide_event_streams", "gauge", "Clients that follow the events.", input.http.streams);
}

void tell_machine(MetricsText& out, const MetricsInput& input) {
  out.one("ranktide_wal_bytes", "gauge", "Size of the database's write-ahead log.", input.room.log_bytes);
  out.one("ranktide_disk_free_bytes", "gauge", "Space left on the data folder's disk.", input.room.free_bytes);
  out.one("ranktide_disk_size_bytes", "gauge", "Size of the data folder's disk.", input.room.size_bytes);
  out.one("process_open_fds", "gauge", "Descriptors that the coordinator has open.", input.open_descriptors);
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  MetricsText out;
  out.family("ranktide_build_info", "gauge", "Always 1; the version is its label.");
  out.sample(1, label("version", input.version));
  tell_work(out, input.picture);
  tell_workers(out, input);
  tell_turn(out, input.picture);
  tell_link(out, input);
  tell_machine(out, input);
  return out.take();
}

int64_t count_open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  return error ? 0 : std::distance(begin(open), end(open)) - 1;  // the folder itself is one
}

}  // namespace ranktide
