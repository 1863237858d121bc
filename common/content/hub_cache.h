#pragma once
// The Hugging Face cache of this machine, read only: where a model that somebody downloaded lies. Nothing is
// downloaded, ever; the line that would is what errors say. Layout: <cache>/models--org--name/refs/<revision>
// holds a commit, snapshots/<commit>/ the files. Reads the environment and folders; any thread.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/hub_name.h"

namespace ranktide {

// Returns: $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
// ~/.cache/huggingface/hub; empty when the environment names no home.
std::filesystem::path hub_cache_folder();

// Returns: the folder of that revision; nullopt when it is not there.
std::optional<std::filesystem::path> find_snapshot(const std::filesystem::path& cache, const HubName& name);
// Returns: every snapshot of the repository, that of the revision first: another one may hold the same files.
std::vector<std::filesystem::path> snapshots_of(const std::filesystem::path& cache, const HubName& name);

// Returns: the name whose snapshot this path is in some Hugging Face cache, of this machine or of another one.
std::optional<HubName> hub_name_of_snapshot(const std::string& path);

// Returns: the command that puts the revision into the cache.
std::string download_command(const HubName& name);

// Returns: the folder that model.path or model.tokenizer means here: a path is itself, a `hub:` name its
// snapshot. Throws: ContentError (manifest.h) with the command that downloads it when it is not in the cache.
std::filesystem::path model_folder(const std::string& path);

}  // namespace ranktide
