#pragma once
// Where an input of a work lies on this machine. Looked for, in this order: at its own path, as on a file
// system that machines share; in the Hugging Face cache; among the worker's copies, and file by file among all
// that it ever hashed, whatever they are called; and last it is fetched from the coordinator. Whatever is found
// is checked by hash, where the work names one; hashes are remembered while files do not change. It waits and
// reads whole files: for a process of its own. One thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/content/hash_cache.h"
#include "common/content/manifest.h"
#include "worker/daemon/bulk_client.h"
#include "worker/daemon/input_cache.h"

namespace ranktide {

// An input that is nowhere: the text says which, where it was looked for with what result, and what to do.
struct InputMissing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct InputPlaces {
  std::filesystem::path hub_cache;  // hub_cache.h; empty: none
  std::filesystem::path copies;     // of InputCache
  std::filesystem::path hashes;     // of HashCache
  int64_t copies_bytes_max = 0;
  std::optional<BulkClientConfig> coordinator;  // absent: it serves no bulk data
};

class InputFinder {
 public:
  using OnProgress = std::function<void(const std::string& what)>;  // "fetching model.safetensors 45%"

  explicit InputFinder(InputPlaces places);

  // Returns: where each input lies; it stays there until the next call. Throws: InputMissing.
  std::vector<PlacedInput> find(const std::vector<Manifest>& inputs, const OnProgress& on_progress);

 private:
  class Search;

  InputPlaces places_;
  InputCache copies_;
  HashCache hashes_;
  std::unique_ptr<BulkClient> coordinator_;  // made at the first fetch
  std::vector<InputCache::Use> in_use_;
};

}  // namespace ranktide
