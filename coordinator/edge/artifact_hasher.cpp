#include "coordinator/edge/artifact_hasher.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <pthread.h>
#include <stdexcept>

#include "common/content/hash_cache.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace fs = std::filesystem;

namespace {

constexpr size_t kHashedPieceBytes = 4 << 20;

void leave_signals_to_the_main_thread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

int64_t bytes_of(const fs::path& file) {
  std::error_code gone;
  const auto bytes = fs::file_size(file, gone);
  return gone ? 0 : static_cast<int64_t>(bytes);
}

}  // namespace

ArtifactHasher::ArtifactHasher(fs::path cache, std::function<void()> before_piece)
    : cache_(std::move(cache)), before_piece_(std::move(before_piece)) {}

ArtifactHasher::~ArtifactHasher() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<HashingStanding> ArtifactHasher::hash(const std::vector<fs::path>& files,
                                                    std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  std::vector<fs::path> unknown = unknown_of(files);
  if (unknown.empty()) return std::nullopt;
  queue(unknown);
  changed_.wait_for(lock, patience, [&] { return is_ending_ || !is_under_way(unknown); });
  throw_faults(unknown);
  unknown = unknown_of(files);
  if (unknown.empty()) return std::nullopt;
  return standing_of(files, unknown);
}

std::optional<std::string> ArtifactHasher::known_sha256(const fs::path& file) {
  const std::lock_guard lock(mutex_);
  return hashes().known_sha256(file);
}

// Requires, here and below: the mutex is held.
const HashCache& ArtifactHasher::hashes() {
  if (!read_ || !read_->is_as_read()) read_.emplace(cache_);
  return *read_;
}

std::vector<fs::path> ArtifactHasher::unknown_of(const std::vector<fs::path>& files) {
  const HashCache& known = hashes();
  std::vector<fs::path> out;
  for (const fs::path& file : files)
    if (!known.known_sha256(file)) out.push_back(file);
  return out;
}

void ArtifactHasher::queue(const std::vector<fs::path>& files) {
  for (const fs::path& file : files) {
    const bool is_queued =
        file == current_ || std::find(waiting_.begin(), waiting_.end(), file) != waiting_.end();
    if (!is_queued && waiting_.size() < kHashedFilesMax) waiting_.push_back(file);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  changed_.notify_all();
}

bool ArtifactHasher::is_under_way(const std::vector<fs::path>& files) const {
  return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
    return file == current_ || std::find(waiting_.begin(), waiting_.end(), file) != waiting_.end();
  });
}

void ArtifactHasher::throw_faults(const std::vector<fs::path>& files) {
  for (const fs::path& file : files) {
    const auto fault = faults_.find(file);
    if (fault == faults_.end()) continue;
    const std::string text = fault->second;
    faults_.erase(fault);
    throw std::runtime_error(text);
  }
}

HashingStanding ArtifactHasher::standing_of(const std::vector<fs::path>& files,
                                            const std::vector<fs::path>& unknown) const {
  HashingStanding out;
  for (const fs::path& file : files) out.hashed_bytes += bytes_of(file);
  out.bytes = out.hashed_bytes;
  for (const fs::path& file : unknown)
    out.hashed_bytes -= bytes_of(file) - (file == current_ ? current_bytes_ : 0);
  return out;
}

void ArtifactHasher::work() {
  leave_signals_to_the_main_thread();
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_ending_ || !waiting_.empty(); });
    if (is_ending_) return;
    current_ = waiting_.front();
    current_bytes_ = 0;
    waiting_.pop_front();
    const fs::path file = current_;
    lock.unlock();
    work_on(file);
    lock.lock();
    current_.clear();
    changed_.notify_all();
  }
}

// The cache is not held while a file is read: others have to say what arrives meanwhile.
void ArtifactHasher::work_on(const fs::path& file) {
  try {
    const auto written = fs::last_write_time(file);
    const auto sha256 = read_and_hash(file);
    if (!sha256 || written != fs::last_write_time(file))
      return;  // it is told as it is now when it is asked for again
    HashCache(cache_).learn_sha256(file, *sha256);
    if (!HashCache(cache_).known_sha256(file))
      throw std::runtime_error(cache_.string() + ": cannot be written, so no hash is remembered");
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    if (faults_.size() == kHashedFilesMax) faults_.clear();  // of files that nobody asked for again
    faults_[file] = error.what();
  }
}

// Returns: nullopt where this object ends.
std::optional<std::string> ArtifactHasher::read_and_hash(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error(file.string() + ": cannot be read");
  Sha256 sha256;
  std::string piece(kHashedPieceBytes, '\0');
  for (;;) {
    if (before_piece_) before_piece_();
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (in.bad()) throw std::runtime_error(file.string() + ": cannot be read to its end");
    if (in.gcount() == 0) return sha256.hex();
    sha256.update({piece.data(), static_cast<size_t>(in.gcount())});
    const std::lock_guard lock(mutex_);
    current_bytes_ += in.gcount();
    if (is_ending_) return std::nullopt;
  }
}

}  // namespace ranktide
