#pragma once
// A cheap sign that a file or folder is as it was: names, sizes and modification times. Not a content hash:
// what is kept in memory between works is kept only while its stamp is the same.

#include <filesystem>
#include <string>

namespace ranktide {

// Returns: the stamp of a file, or of every file below a folder, by name; of something absent, a stamp that
// says so.
std::string file_stamp(const std::filesystem::path& path);

}  // namespace ranktide
