#pragma once
// How much room finished datasets (rows_file.h) may take in a cache folder, and which of them go. Not what is
// in them. Free functions; any thread, any number of processes: the commands of a user and the trainers of a
// worker may share a folder.
//
// Policy at the limit: files go, the least recently used first. None is needed by anybody but to be quick:
// whoever read one has it in memory, one that is open stays readable, and one that is wanted again is made
// again.

#include <cstdint>
#include <filesystem>

namespace ranktide {

inline constexpr int64_t kRowsKeptBytesMax = int64_t{20} << 30;

// Notes that the file is used now, where this user may.
void note_use_of_rows(const std::filesystem::path& file);

// Carries out the policy in the folder of `just_used`, which stays even where it alone is more. What a process
// that was killed had begun to write goes too.
void limit_rows(const std::filesystem::path& just_used, int64_t bytes_max);

}  // namespace ranktide
