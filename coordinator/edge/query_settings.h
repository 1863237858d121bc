#pragma once
// The settings that a trial was trained with, flat, as its id was made from them; not its results. Reads only.

#include <optional>
#include <string>

#include "common/vocabulary/wire.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

// Returns: {"lora.rank": 4, "train.lr": 0.0005, ...}, those that have an effect, and the hashes that stand in
// its id for paths, {"content": {"model", "tokenizer", "data"}}; nullopt when there is no such trial. Requires:
// `trial` is a full id. Throws: StoreError.
std::optional<Json> trial_settings(const Reader& reader, const std::string& trial);

}  // namespace ranktide
