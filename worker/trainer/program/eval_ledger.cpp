#include "worker/trainer/program/eval_ledger.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path) {
  throw std::runtime_error(path.string() + ": cannot be written: " + std::strerror(errno));
}

void sync(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) fail(path);
  const int result = ::fsync(fd);
  ::close(fd);
  if (result != 0) fail(path);
}

}  // namespace

EvalLedger::EvalLedger(fs::path folder) : folder_(std::move(folder)) {}

fs::path EvalLedger::path_of(const EvalId& id) const {
  return folder_ / (id.text + ".json");
}

std::optional<EvalResult> EvalLedger::find(const EvalId& id) const {
  std::ifstream in(path_of(id), std::ios::binary);
  if (!in) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    return from_json<EvalResult>(parse_json(text));
  } catch (const ProtocolError&) {
    return std::nullopt;  // the eval is run again where its weights still stand
  }
}

void EvalLedger::remember(const EvalResult& result) const {
  fs::create_directories(folder_);
  const fs::path path = path_of(result.id), temporary = path.string() + ".part";
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << to_json(result).dump() << "\n";
    if (!out.flush()) fail(temporary);
  }
  sync(temporary, O_WRONLY);
  fs::rename(temporary, path);
  sync(folder_, O_RDONLY | O_DIRECTORY);
}

}  // namespace ranktide
