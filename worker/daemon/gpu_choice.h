#pragma once
// Which of the node's GPUs this worker may and shall use: what the device files leave open, what
// CUDA_VISIBLE_DEVICES shows, what --gpus asks for. Pure but for the device files; any thread.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/daemon/nvml.h"

namespace ranktide {

// Returns: those whose /dev/nvidia<minor> this process can open, which is where control groups (Slurm,
// Kubernetes) forbid a device; all of them where the node has no such files. `root` is what the path /dev
// begins with.
std::vector<Gpu> openable_gpus(const std::vector<Gpu>& gpus, const std::filesystem::path& root = "/");

// Returns: what CUDA would show under this value of CUDA_VISIBLE_DEVICES, in its order: indices, or beginnings
// of UUIDs that fit one device, up to the first that fits none; all for no value. An index is counted in PCI
// order and stands for all slices of its device.
std::vector<Gpu> visible_gpus(const std::vector<Gpu>& gpus,
                              const std::optional<std::string>& cuda_visible_devices);

// Returns: what `wish` names of them, in its order, by the same words; all for an empty wish, none for "none".
// Throws: DeviceError for a word that fits nothing, naming what there is.
std::vector<Gpu> wished_gpus(const std::vector<Gpu>& gpus, const std::string& wish);

}  // namespace ranktide
