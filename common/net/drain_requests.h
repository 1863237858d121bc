#pragma once
// Requests to drain a worker, left by a command for the coordinator that serves the folder: an empty file per
// worker, gone when the worker was told. Not durable state: a worker that is not connected is not told later.
// Thread rule: free functions, any thread and process.

#include <filesystem>
#include <vector>

#include "common/vocabulary/ids.h"

namespace ranktide {

// keys: the folder that holds the table of worker keys. Throws: KeyError.
void ask_for_drain(const std::filesystem::path& keys, const WorkerName& worker);
// Returns: whether the request still waits.
bool waits_for_drain(const std::filesystem::path& keys, const WorkerName& worker);
// Removes the request: told, or taken back.
void forget_drain(const std::filesystem::path& keys, const WorkerName& worker);
// Returns: who is to be told.
std::vector<WorkerName> drain_requests(const std::filesystem::path& keys);

}  // namespace ranktide
