#include "cli/device_table.h"

#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/version.h"
#include "common/vocabulary/numerics.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

// Throws: ProtocolError, TableError.
ProductTable table_in(const std::string& text) {
  const auto table = from_json<ProductTable>(parse_json(text));
  ProductSpeeds{table};  // has all that is asked of it
  return table;
}

void check_is_of(const ProductTable& table, const Processor& processor, int threads) {
  if (table.device != processor.name || table.instructions != processor.instructions)
    throw TableError(fmt::format("it was measured on {} with {}", table.device, table.instructions));
  if (table.threads != threads) throw TableError(fmt::format("it was measured on {} thread(s)", table.threads));
  if (table.numerics_version != kNumericsVersion)
    throw TableError(fmt::format("it was measured by version {} of the trainer's arithmetic, and this is {}",
                                 table.numerics_version, kNumericsVersion));
}

bool write_and_sync(const fs::path& file, const std::string& text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool synced = ::fsync(fd) == 0;
  return ::close(fd) == 0 && written && synced;
}

}  // namespace

fs::path device_table_file(const fs::path& data, const Processor& processor, int threads) {
  const std::string key = sha256_hex(fmt::format("{}\n{}\n{}\n{}\n{}", processor.name, processor.instructions,
                                                 threads, kVersion, RANKTIDE_LIBTORCH_VERSION));
  return data / "devices" / (key.substr(0, 16) + ".json");
}

std::optional<ProductTable> kept_table(const fs::path& data, int threads,
                                       const std::function<void(const std::string&)>& say) {
  const Processor processor = this_processor();
  const fs::path file = device_table_file(data, processor, threads);
  std::ifstream in(file);
  if (!in) return std::nullopt;
  std::stringstream text;
  text << in.rdbuf();
  try {
    const ProductTable table = table_in(text.str());
    check_is_of(table, processor, threads);
    return table;
  } catch (const std::runtime_error& wrong) {
    say(fmt::format("{} is ignored: {}; `{}` writes it anew", file.string(), wrong.what(),
                    measure_command(threads)));
    return std::nullopt;
  }
}

std::optional<ProductTable> kept_table(const fs::path& data, const TimedSlots& slots,
                                       const std::function<void(const std::string&)>& say) {
  if (slots.on == ComputedOn::gpu) return kept_table(data, 1, say);
  const auto threads = slots.threads_on(this_processor().name);
  return threads ? kept_table(data, *threads, say) : std::nullopt;
}

std::string measure_command(int threads) {
  return threads == 1 ? "ranktide doctor --measure"
                      : fmt::format("ranktide doctor --measure --threads {}", threads);
}

void keep_table(const fs::path& data, const ProductTable& table) {
  const Processor processor{.name = table.device, .instructions = table.instructions};
  const fs::path file = device_table_file(data, processor, table.threads);
  const fs::path draft = fmt::format("{}.draft.{}", file.string(), ::getpid());
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const bool written = write_and_sync(draft, to_json(table).dump(1) + "\n");
  if (written) fs::rename(draft, file, error);
  if (written && !error) return;
  fs::remove(draft, error);  // where it was never made, there is none
  throw CommandError(kFailed, "cannot write " + file.string() + "; is the data folder writable?");
}

ProductTable measured_table(const fs::path& trainer, int threads) {
  const std::string command = fmt::format("'{}' gemm --json --threads {}", trainer.string(), threads);
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw CommandError(kFailed, "cannot start " + command);
  std::string output;
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  if (pclose(pipe) != 0) throw CommandError(kFailed, command + " failed");
  try {
    return table_in(output);
  } catch (const std::runtime_error& wrong) {
    throw CommandError(kFailed, fmt::format("{} printed no table: {}", command, wrong.what()));
  }
}

}  // namespace ranktide::cli
