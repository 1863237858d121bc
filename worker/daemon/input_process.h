#pragma once
// The process that looks for the inputs of works, and brings what other trials left (source_artifacts.h): what
// a worker starts beside each trainer. It gets RunWork over its command pipe and answers WorkPrepared, with the
// paths of this machine, or WorkEnded{refused}. It may be killed at any time: what it fetched is gone on with
// by the next one. It holds on to the inputs of the last work until the next one comes.

#include <cstdint>
#include <filesystem>
#include <string>

namespace ranktide {

inline constexpr int64_t kInputCopiesBytesMax = int64_t{200} << 30;  // default of --inputs-max
inline constexpr int64_t kArtifactsBytesMax = int64_t{100} << 30;    // default of --artifacts-max

struct InputProcessConfig {
  std::filesystem::path work_folder;  // copies in inputs/, hashes in cache/
  std::filesystem::path keys_folder;  // worker.secret
  int64_t copies_bytes_max = kInputCopiesBytesMax;
  int64_t artifacts_bytes_max = kArtifactsBytesMax;  // kept_artifacts.h
  std::string bulk_endpoint;                         // of the coordinator; empty: it serves no files
  std::string coordinator_key;                       // public
};

// Serves until the command pipe ends. Returns: the exit code.
int serve_inputs(const InputProcessConfig& config);

}  // namespace ranktide
