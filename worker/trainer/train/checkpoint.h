#pragma once
// Checkpoints of a stage: <folder>/<stage>/<attempt>/<step>/{state.safetensors, manifest.json}. They are whole
// or absent: written under a temporary name, synced, renamed, the folder synced. Readers trust hashes: what no
// hash covers has to be said twice. Engine-internal: this header shows LibTorch through optimizer.h.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/trainer/lm/model.h"
#include "worker/trainer/train/manifest.h"
#include "worker/trainer/train/optimizer.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {

inline constexpr int kCheckpointsKept = 3;  // of an attempt; older ones are removed after a newer one is safe

// Returns: why a state of so many bytes is not begun to be written with so many free; empty: there is room.
// What fills the disk to its last byte is cut somewhere, and takes the room of logs and spool with it.
std::string room_refusal(int64_t state_bytes, int64_t free_bytes);

// Writes the model's parameters and moments; of a device's the host holds a copy of one at a time.
// manifest.files is filled here, manifest's other fields by the caller. Throws: TrainError with the place and
// the system's reason, or where the host has no memory for a copy; what was there before is whole then.
void write_checkpoint(const std::filesystem::path& checkpoints, Manifest manifest, const ModelTensors& tensors,
                      const Moments& moments);

// Returns when the file's bytes, or the folder's names, are on the disk. Throws: TrainError naming it.
void sync_to_disk(const std::filesystem::path& path);

// Returns: the folders of a stage's checkpoints, most steps first; of one step that of the newest attempt
// first.
std::vector<std::filesystem::path> checkpoint_folders(const std::filesystem::path& checkpoints,
                                                      const StageId& stage);

struct FoundCheckpoint {
  Manifest manifest;
  std::filesystem::path folder;
};

struct CheckpointSearch {
  std::optional<FoundCheckpoint> newest;  // most steps of any attempt; nullopt: start over
  std::vector<std::string> notes;  // a line per checkpoint that is damaged, not to be resumed, taken back
};

// Looks at the newest first and stops at the first that is whole, of this engine, and within the limits.
// A damaged one is renamed <step>.corrupt: it is looked at once, and stays for whoever asks what happened. So
// is one whose manifest says another place, seed, count of tokens, exactness or processor than where it lies,
// the stage and the state say. One that was being replaced when its process was killed has its name again.
CheckpointSearch find_checkpoint(const std::filesystem::path& checkpoints, const Stage& stage,
                                 const Engine& engine, const ResumeLimits& limits);

// Fills parameters, product copies and moments. Throws: ModelError when they do not fit the model.
void read_checkpoint(const FoundCheckpoint& found, ModelTensors& tensors, Moments& moments);

}  // namespace ranktide
