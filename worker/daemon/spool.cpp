#include "worker/daemon/spool.h"

#include <charconv>
#include <optional>
#include <set>
#include <spdlog/spdlog.h>
#include <string>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

// Returns: the attempt that a file of this name belongs to; nullopt for a file that is none of ours.
std::optional<Lease> lease_of(const fs::path& file) {
  if (file.extension() != ".spool") return std::nullopt;
  const std::string number = file.stem().extension().string();
  Lease lease{.unit = UnitId{file.stem().stem().string()}, .attempt = 0};
  const char* const end = number.data() + number.size();
  if (number.size() < 2 || std::from_chars(number.data() + 1, end, lease.attempt).ptr != end)
    return std::nullopt;
  return lease;
}

const Lease& lease_of(const SpoolAction& action) {
  return std::visit([](const auto& a) -> const Lease& { return a.lease; }, action);
}

}  // namespace

Spool::Spool(fs::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw SpoolError(folder_.string() + ": cannot be created: " + error.message());
}

fs::path Spool::path_of(const Lease& lease) const {
  return folder_ / (lease.unit.text + "." + std::to_string(lease.attempt) + ".spool");
}

std::vector<SpooledAttempt> Spool::load() {
  std::map<Lease, SpooledAttempt> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    const std::optional<Lease> lease = lease_of(entry.path());
    if (!lease) continue;
    SpooledAttempt attempt{.lease = *lease, .entries = {}};
    try {
      files_[*lease] = std::make_unique<SpoolFile>(entry.path(), attempt.entries);
      found[*lease] = std::move(attempt);
    } catch (const SpoolError& error) {
      spdlog::error("{}; it is set aside as *.unreadable", error.what());
      fs::rename(entry.path(), entry.path().string() + ".unreadable");
    }
  }
  std::vector<SpooledAttempt> out;
  for (auto& [lease, attempt] : found) out.push_back(std::move(attempt));
  return out;
}

void Spool::apply(const std::vector<SpoolAction>& actions) {
  std::set<Lease> to_sync;
  for (const SpoolAction& action : actions) {
    const auto* append = std::get_if<SpoolAppend>(&action);
    if (append != nullptr && append->sync) to_sync.insert(append->lease);
    try {
      std::visit([&](const auto& a) { on(a); }, action);
    } catch (const SpoolError& error) {
      give_up(lease_of(action), error);
    }
  }
  for (const Lease& lease : to_sync) {
    const auto file = files_.find(lease);
    if (file == files_.end() || !file->second) continue;
    try {
      file->second->sync();
    } catch (const SpoolError& error) {
      give_up(lease, error);
    }
  }
}

void Spool::on(const SpoolAppend& append) {
  const auto [place, is_new] = files_.try_emplace(append.lease);
  if (is_new) {
    std::map<int64_t, std::string> left;
    place->second = std::make_unique<SpoolFile>(path_of(append.lease), left);
    RT_CHECK(left.empty());  // an attempt begins in one life only, and load() has seen all files of former ones
  }
  if (place->second) place->second->append(append.seq, append.bytes);
}

void Spool::on(const SpoolDrop& drop) {
  const auto file = files_.find(drop.lease);
  if (file != files_.end() && file->second) file->second->drop(drop.up_to);
}

void Spool::on(const SpoolForget& forget) {
  const auto file = files_.find(forget.lease);
  if (file == files_.end()) return;
  if (file->second) file->second->remove();
  files_.erase(file);
}

void Spool::give_up(const Lease& lease, const SpoolError& error) {
  spdlog::warn("{}; reports of {}/{} are kept in memory only", error.what(), lease.unit.brief(), lease.attempt);
  files_[lease] = nullptr;
}

}  // namespace ranktide
