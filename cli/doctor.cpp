// `ranktide doctor`: what this machine has, and what would stop a sweep before it starts.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <iostream>
#include <map>
#include <memory>
#include <sqlite3.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/command.h"
#include "cli/device_table.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "common/model/processor.h"
#include "common/net/keys.h"
#include "common/vocabulary/wire.h"
#include "worker/daemon/devices.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct DoctorOptions {
  bool is_measuring = false;
  int threads = 1;
};

struct Finding {
  std::string what;
  bool good = true;
  std::string text;  // what was found; for a bad one also what to do
};

Finding versions() {
  int major = 0, minor = 0, patch = 0;
  zmq_version(&major, &minor, &patch);
  return {"versions", true,
          fmt::format("ranktide {}, libzmq {}.{}.{}, SQLite {}", kVersion, major, minor, patch,
                      sqlite3_libversion())};
}

Finding curve() {
  const bool has = zmq_has("curve") == 1;
  return {"CURVE", has,
          has ? "libzmq was built with it" : "this libzmq has no CURVE; use the distribution's libzmq3"};
}

Finding machine() {
  const NodeCapacity node = measure_node();
  return {"machine", true,
          fmt::format("{} cores, {} of memory, {} with {}", node.cores,
                      bytes_text(static_cast<double>(node.memory_bytes)), this_processor().name,
                      this_processor().instructions)};
}

fs::path nearest_existing(fs::path p) {
  while (!fs::exists(p) && p.has_parent_path() && p != p.parent_path()) p = p.parent_path();
  return p;
}

Finding free_disk(const fs::path& data) {
  struct statvfs s {};
  if (statvfs(nearest_existing(data).c_str(), &s) != 0)
    return {"disk", false, data.string() + " cannot be examined"};
  const double free_bytes = static_cast<double>(s.f_bavail) * static_cast<double>(s.f_frsize);
  const bool good = free_bytes > 2.0 * (1 << 30);
  return {"disk", good,
          fmt::format("{} free under {}{}", bytes_text(free_bytes), data.string(),
                      good ? "" : "; at least 2 GiB are wanted: clear space or name another --data-dir")};
}

Finding file_system(const fs::path& data) {
  constexpr long kNfs = 0x6969, kSmb = 0x517B, kCifs = 0xFF534D42;
  struct statfs s {};
  if (statfs(nearest_existing(data).c_str(), &s) != 0)
    return {"file system", false, data.string() + " cannot be examined"};
  const bool network = s.f_type == kNfs || s.f_type == kSmb || s.f_type == kCifs;
  return {"file system", !network,
          network ? "the data folder is on a network file system, where SQLite's log does not work; name a "
                    "local --data-dir"
                  : "local"};
}

Finding writable(const fs::path& data) {
  const fs::path place = nearest_existing(data);
  const bool good = access(place.c_str(), W_OK) == 0;
  return {"data folder", good,
          good ? data.string() : place.string() + " is not writable; name another --data-dir"};
}

Finding keys(const fs::path& data) {
  const fs::path folder = data / "keys";
  if (!fs::exists(folder)) return {"keys", true, "none yet; `run` makes them"};
  const auto open_to_others = fs::perms::group_all | fs::perms::others_all;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".secret" &&
        (entry.status().permissions() & open_to_others) != fs::perms::none)
      return {"keys", false, entry.path().string() + " is readable by others; chmod 600 it"};
  return {"keys", true, "secret keys are private"};
}

Finding trainer() {
  const std::string command = "'" + trainer_program().string() + "' selfcheck --quick 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return {"trainer", false, "cannot start " + command};
  std::string output;
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  const int status = pclose(pipe);
  while (output.ends_with('\n')) output.pop_back();
  return {"trainer", status == 0, output};
}

std::string fastest_text(const ProductTable& table) {
  std::map<Dtype, double> fastest;
  for (const MeasuredProduct& row : table.rows)
    fastest[row.dtype] = std::max(fastest[row.dtype], row.flops_per_second);
  std::string out;
  for (const auto& [dtype, rate] : fastest) out += fmt::format("{} {:.0f}, ", text_of(dtype), 1e-9 * rate);
  return fmt::format("up to {} GFLOP/s on {} thread{}, memory {:.1f} GB/s", out.substr(0, out.size() - 2),
                     table.threads, table.threads == 1 ? "" : "s", 1e-9 * table.bytes_per_second);
}

Finding measured_products(const fs::path& data, int threads) {
  try {
    const ProductTable table = measured_table(trainer_program(), threads);
    keep_table(data, table);
    return {"products", true, "measured now: " + fastest_text(table)};
  } catch (const CommandError& failure) {
    return {"products", false, failure.what()};
  }
}

Finding products(const fs::path& data, const DoctorOptions& options) {
  if (options.is_measuring) return measured_products(data, options.threads);
  std::string ignored;
  const auto table = kept_table(data, options.threads, [&](const std::string& why) { ignored = why; });
  if (table) return {"products", true, "measured: " + fastest_text(*table)};
  if (!ignored.empty()) return {"products", false, ignored};
  return {"products", true, "not measured; --measure takes 10 s and makes the times of `plan` sharper"};
}

std::vector<Finding> examine(const fs::path& data, const DoctorOptions& options) {
  return {versions(),        curve(),    machine(), writable(data),         free_disk(data),
          file_system(data), keys(data), trainer(), products(data, options)};
}

int run_doctor(const DoctorOptions& options, const GlobalOptions& globals) {
  const auto findings = examine(data_folder(globals.data_dir), options);
  Json out = Json::array();
  bool good = true;
  for (const Finding& f : findings) {
    good = good && f.good;
    out.push_back({{"check", f.what}, {"good", f.good}, {"text", f.text}});
    if (!globals.json) std::cout << fmt::format("{:<4} {:<12} {}\n", f.good ? "ok" : "BAD", f.what, f.text);
  }
  if (globals.json) std::cout << out.dump(2) << "\n";
  return good ? kOk : kFailed;
}

}  // namespace

std::function<int()> setup_doctor(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<DoctorOptions>();
  command.add_flag("--measure", options->is_measuring,
                   "measure this machine's matrix products and keep them for the times of `plan`");
  command.add_option("--threads", options->threads, "threads of a slot that products are measured for")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  return [options, &globals] { return run_doctor(*options, globals); };
}

}  // namespace ranktide::cli
