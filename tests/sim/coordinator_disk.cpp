#include "tests/sim/coordinator_disk.h"

#include <cstdlib>
#include <fstream>

#include "common/vocabulary/check.h"

namespace ranktide::sim {
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kTornBytesMax = 9'000;  // two pages of the log and a bit

// In memory where there is such a place: a commit waits for no platter there, and a run makes thousands.
fs::path place_for_folders() {
  const fs::path memory = "/dev/shm";
  std::error_code absent;
  return fs::is_directory(memory, absent) ? memory : fs::temp_directory_path();
}

// What a power loss leaves of a commit that was being written: frames whose checksums do not fit.
void tear(const fs::path& log, SplitMix64& chance) {
  std::ofstream out(log, std::ios::binary | std::ios::app);
  for (uint64_t left = chance.below(kTornBytesMax); left > 0; --left)
    out.put(static_cast<char>(chance.below(256)));
}

}  // namespace

CoordinatorDisk::CoordinatorDisk() {
  std::string pattern = (place_for_folders() / "ranktide-sim-XXXXXX").string();
  RT_CHECK(::mkdtemp(pattern.data()) != nullptr);
  folder_ = pattern;
}

CoordinatorDisk::~CoordinatorDisk() {
  store_.reset();
  std::error_code gone;
  fs::remove_all(folder_, gone);
}

fs::path CoordinatorDisk::life_folder() const {
  return folder_ / std::to_string(life_);
}

Store& CoordinatorDisk::open() {
  RT_CHECK(!store_);
  store_ = std::make_unique<Store>(life_folder(), Store::Open::create);
  return *store_;
}

// Copied aside before the store is let go, which would tidy the files up as no dying process does.
void CoordinatorDisk::crash(SplitMix64& chance) {
  const fs::path before = life_folder();
  ++life_;
  fs::create_directories(life_folder());
  for (const char* end : {"", "-wal"}) {
    const std::string name = database_file(before).filename().string() + end;
    if (fs::exists(before / name)) fs::copy_file(before / name, life_folder() / name);
  }
  const fs::path log = database_file(life_folder()).string() + "-wal";
  if (fs::exists(log) && fs::file_size(log) > 0 && chance.below(2) == 0) tear(log, chance);
  store_.reset();
  fs::remove_all(before);
}

}  // namespace ranktide::sim
