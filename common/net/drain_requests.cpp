#include "common/net/drain_requests.h"

#include <fstream>

#include "common/net/private_file.h"
#include "common/net/worker_keys.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".drain";

fs::path file_of(const fs::path& keys, const WorkerName& worker) {
  return keys / (worker.text + std::string(kSuffix));
}

}  // namespace

void ask_for_drain(const fs::path& keys, const WorkerName& worker) {
  if (!is_worker_name(worker.text)) fail_on(keys, "not a worker name: \"" + worker.text + "\"");
  const fs::path file = file_of(keys, worker);
  if (!std::ofstream(file)) fail_on(file, "cannot be written");
}

bool waits_for_drain(const fs::path& keys, const WorkerName& worker) {
  std::error_code error;
  return fs::exists(file_of(keys, worker), error);
}

void forget_drain(const fs::path& keys, const WorkerName& worker) {
  std::error_code ignored;
  fs::remove(file_of(keys, worker), ignored);
}

std::vector<WorkerName> drain_requests(const fs::path& keys) {
  std::vector<WorkerName> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(keys, error))
    if (entry.path().extension() == kSuffix) names.push_back(WorkerName{entry.path().stem().string()});
  return names;
}

}  // namespace ranktide
