#pragma once
// manifest.json of a checkpoint: what it belongs to, what made it, and the hash of every file beside it. No
// tensors.

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {

inline constexpr int kCheckpointFormat = 1;
inline constexpr const char* kManifestName = "manifest.json";

struct Manifest {
  int format = kCheckpointFormat;
  StageId stage;
  Attempt attempt = 0;
  Step step = 0;       // steps done; data order, dropout and schedule are functions of it
  int64_t tokens = 0;  // the data cursor in tokens: real tokens trained on since step 0
  double seconds = 0;  // wall time of the steps since step 0; 0 in the first checkpoints of this format
  int64_t memory_peak_bytes = 0;  // of the processes that made them; likewise
  uint64_t seed = 0;              // key of every random draw
  int threads = 0;                // what bit-equality depends on
  std::string isa;
  std::string processor;  // empty: not known, as in the first checkpoints of this format, or a device computed
  int numerics_version = 0;
  std::string libtorch;
  // Whether the steps since step 0 are promised bit-equal (Outcome::exact); not told in the first checkpoints
  // of this format, which count as if.
  bool exact = true;
  std::map<std::string, std::string> files;  // name -> SHA-256
};
template <class Ar>
void fields(Ar& ar, Manifest& m) {
  ar("format", m.format)("stage", m.stage)("attempt", m.attempt)("step", m.step)("tokens", m.tokens);
  ar("seconds", m.seconds)("memory_peak_bytes", m.memory_peak_bytes);
  ar("seed", m.seed)("threads", m.threads)("isa", m.isa);
  ar("processor", m.processor)("numerics_version", m.numerics_version)("libtorch", m.libtorch);
  ar("exact", m.exact)("files", m.files);
}

// Throws: TrainError when it cannot be written.
void write_manifest(const Manifest& manifest, const std::filesystem::path& folder);

// What was written is not what is there.
struct DamagedCheckpoint : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Reads the manifest and checks every file's hash. Throws: DamagedCheckpoint saying what is wrong; TrainError
// for a format of another version.
Manifest read_manifest(const std::filesystem::path& folder);

// Returns: why this engine must not resume from it, empty when it may.
std::string refusal(const Manifest& manifest, const Engine& engine);

// Returns: why what this engine makes of it is not promised bit-equal to a training in one piece, empty when it
// is. Requires: it may resume from it.
std::string inexactness(const Manifest& manifest, const Engine& engine);

}  // namespace ranktide
