#pragma once
// The cache file of a finished dataset: written whole under a temporary name, then renamed, so that readers see
// all of it or nothing; a hash at its end tells a torn or altered file. Little-endian, this machine's own: not
// for exchange. Free functions; any thread, any number of processes.

#include <filesystem>
#include <optional>

#include "common/text/data_index.h"

namespace ranktide {

// Throws: DataError when the folder cannot be written or the disk is full.
void write_rows_file(const std::filesystem::path& file, const Dataset& dataset);

// Returns: what was written; nullopt when there is no file, or it is torn, altered or of another version.
std::optional<Dataset> read_rows_file(const std::filesystem::path& file);

}  // namespace ranktide
