#include "cli/worker_start.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/gpu_notice.h"
#include "cli/version.h"
#include "common/net/join_line.h"
#include "common/net/worker_keys.h"
#include "common/vocabulary/sha256.h"
#include "worker/daemon/devices.h"
#include "worker/daemon/enrolment.h"
#include "worker/daemon/gpu_choice.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr Duration kEnrolmentPatience{20'000};

std::string first_line(std::istream& in) {
  std::string line;
  std::getline(in, line);
  return line;
}

// A line on the command line is seen by everybody on the machine, for as long as it is good; hence the others.
std::string join_text(const std::string& option) {
  if (option == "-") return first_line(std::cin);
  if (option.starts_with("ranktide-join/")) return option;
  std::ifstream in(option);
  if (!in)
    throw CommandError(EX_DATAERR,
                       "--join: \"" + option +
                           "\" is neither a join line nor a readable file; `ranktide invite` on the "
                           "coordinator's machine prints one");
  require_private(option, 0600);
  return first_line(in);
}

bool is_same_pair(const Joined& a, const Joined& b) {
  return a.worker_key == b.worker_key && a.coordinator_key == b.coordinator_key;
}

// Only of a worker that is new: one that joined before a name was refused goes on under it.
void require_free_name(const std::string& name) {
  if (const std::string fault = fault_of_worker_name(name); !fault.empty())
    throw CommandError(EX_USAGE, "--name: \"" + name + "\": " + fault);
}

Joined join(const JoinLine& line, const JoinOptions& options, const fs::path& folder, const KeyPair& keys) {
  Joined out{.endpoint = tcp_endpoint(line.host, line.link_port),
             .coordinator_key = line.server_key,
             .name = "",
             .worker_key = keys.public_key,
             .token_sha256 = sha256_hex(line.token)};
  const auto before = read_joined(folder);
  const bool was_used = before && is_same_pair(*before, out) && before->token_sha256 == out.token_sha256;
  if (was_used) {
    spdlog::info("joined before, as {}; the join line is not used", before->name);
    out.name = before->name;
  } else {
    require_free_name(options.name);
    out.name = enrol({.endpoint = tcp_endpoint(line.host, line.enrol_port),
                      .coordinator_key = line.server_key,
                      .keys = keys,
                      .words = {.token = line.token, .name = options.name, .version = kVersion}},
                     kEnrolmentPatience)
                   .text;
    spdlog::info("joined the coordinator at {} as {}", out.endpoint, out.name);
  }
  write_joined(folder, out);
  return out;
}

// Of a line that was refused by the worker's own coordinator at another address, as after a move.
void warn_of_other_address(const JoinLine& line, const Joined& before) {
  const std::string refused_at = tcp_endpoint(line.host, line.link_port);
  if (refused_at == before.endpoint) return;
  spdlog::warn(
      "the line names the coordinator at {}, but this worker goes on at {}, where it joined: if the "
      "coordinator has moved, start it once with --coordinator {} in place of the line",
      refused_at, before.endpoint, refused_at);
}

// A unit file or a compose file names its line for ever: one that is gone, or that lets nobody in any more,
// must not keep out who is in. Throws: `why`, where this folder's key belongs to no coordinator yet, or to
// another.
template <class Error>
Joined go_on_by_key(const Error& why, const fs::path& folder, const KeyPair& keys,
                    const JoinLine* line = nullptr) {
  const auto before = read_joined(folder);
  const bool is_ours =
      before && before->worker_key == keys.public_key && (!line || before->coordinator_key == line->server_key);
  if (!is_ours) throw why;
  spdlog::warn("{}", why.what());
  if (line) warn_of_other_address(*line, *before);
  spdlog::info("goes on by its own key for the coordinator at {}, as {}", before->endpoint, before->name);
  return *before;
}

Joined join_or_go_on(const JoinOptions& options, const fs::path& folder, const KeyPair& keys) {
  JoinLine line;
  try {
    line = parse_join_line(join_text(options.join));
  } catch (const CommandError& unreadable) {
    return go_on_by_key(unreadable, folder, keys);
  } catch (const KeyError& unreadable) {
    return go_on_by_key(unreadable, folder, keys);
  } catch (const JoinLineError& cut) {
    return go_on_by_key(cut, folder, keys);
  }
  try {
    return join(line, options, folder, keys);
  } catch (const EnrolmentError& refused) {
    if (refused.end != EnrolmentEnd::refused) throw;
    return go_on_by_key(refused, folder, keys, &line);
  }
}

// For keys that were copied by hand: `ranktide authorise` has let this one in, or will.
Joined connect_to(const JoinOptions& options, const fs::path& folder, const KeyPair& keys) {
  const auto before = read_joined(folder);
  if (!before) require_free_name(options.name);
  if (options.server_key.empty() && !before)
    throw CommandError(EX_USAGE,
                       "--coordinator needs --server-key: the file keys/coordinator.public of the "
                       "coordinator's data folder, or what stands in it");
  Joined out{.endpoint = options.coordinator,
             .coordinator_key =
                 options.server_key.empty() ? before->coordinator_key : read_public_key(options.server_key),
             .name = options.name,
             .worker_key = keys.public_key};
  if (before && is_same_pair(*before, out)) out.token_sha256 = before->token_sha256;
  write_joined(folder, out);
  return out;
}

std::string text_of(const Slot& slot) {
  std::string out = slot.device + (slot.model.empty() ? "" : " (" + slot.model + ")");
  for (const std::string& label : slot.labels) out += " +" + label;
  return out;
}

void say_slots(const std::vector<Slot>& slots) {
  for (const Slot& slot : slots)
    spdlog::info("slot {}: {}, {} thread(s), {:.1f} GiB", slot.index, text_of(slot), slot.threads,
                 static_cast<double>(slot.memory_bytes) / static_cast<double>(1 << 30));
  if (const std::string notice = gpu_notice(slots); !notice.empty()) spdlog::warn("{}", notice);
}

std::vector<std::string> labels_of(const std::string& list) {
  std::vector<std::string> labels;
  std::istringstream in(list);
  for (std::string label; std::getline(in, label, ',');) {
    if (!is_worker_name(label))  // the same letters do for both
      throw CommandError(
          EX_USAGE,
          "--labels: \"" + label + "\" is no label (1 to 64 of A-Z a-z 0-9 . _ -, first a letter or digit)");
    labels.push_back(label);
  }
  return labels;
}

// CUDA counts the fastest device first unless it is told otherwise; NVML counts as they sit on the bus.
void warn_of_cuda_order(const std::vector<Gpu>& gpus, const char* visible) {
  const char* order = std::getenv("CUDA_DEVICE_ORDER");
  const bool is_in_bus_order = order != nullptr && std::string(order) == "PCI_BUS_ID";
  if (visible == nullptr || is_in_bus_order || std::string(visible).find_first_of("-") != std::string::npos)
    return;
  for (const Gpu& gpu : gpus)
    if (gpu.model != gpus.front().model)
      return spdlog::warn(
          "CUDA_VISIBLE_DEVICES={} is read in the order of the bus, and this node's GPUs differ: set "
          "CUDA_DEVICE_ORDER=PCI_BUS_ID, or name them by UUID",
          visible);
}

std::vector<Gpu> usable_gpus(const std::string& wish) {
  if (wish == "none") return {};
  const std::vector<Gpu> all = openable_gpus(list_gpus());
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  warn_of_cuda_order(all, visible);
  const std::vector<Gpu> shown =
      visible_gpus(all, visible == nullptr ? std::nullopt : std::optional<std::string>(visible));
  return wished_gpus(shown, wish);
}

}  // namespace

Joined find_coordinator(const JoinOptions& options, const fs::path& folder, const KeyPair& keys) {
  if (!options.join.empty()) return join_or_go_on(options, folder, keys);
  if (!options.coordinator.empty()) return connect_to(options, folder, keys);
  if (auto before = read_joined(folder)) return *before;
  throw CommandError(EX_USAGE, folder.string() +
                                   " belongs to no coordinator yet: give --join LINE (`ranktide invite` on the "
                                   "coordinator's machine prints one), or --coordinator and --server-key");
}

std::vector<Slot> find_slots(const SlotOptions& options) {
  const NodeCapacity node = measure_node();
  const std::vector<Gpu> gpus = usable_gpus(options.gpus);
  const std::vector<std::string> labels = labels_of(options.labels);
  std::vector<Slot> slots = gpus.empty() ? cpu_slots(node, std::max(1, options.threads_per_slot), options.slots)
                                         : gpu_slots(node, gpus, options.threads_per_slot, options.slots);
  for (Slot& slot : slots) slot.labels.insert(slot.labels.end(), labels.begin(), labels.end());
  say_slots(slots);
  if (const std::string notice = fewer_slots_notice(node, slots, options.slots); !notice.empty())
    spdlog::warn("{}", notice);
  return slots;
}

std::string default_worker_name() {
  std::array<char, 256> host{};
  std::string name = ::gethostname(host.data(), host.size() - 1) == 0 ? host.data() : "";
  name.resize(std::min<size_t>(name.size(), 64));
  for (char& c : name)
    if (!is_worker_name(std::string("a") + c)) c = '-';
  return fault_of_worker_name(name).empty() ? name : "worker";
}

}  // namespace ranktide::cli
