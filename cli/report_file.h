#pragma once
// Writing a sweep's report to a file; shared by `run` and `report`.

#include <filesystem>
#include <string>

namespace ranktide::cli {

std::filesystem::path default_report_file(const std::filesystem::path& data, const std::string& sweep);

// Replaces the file in one step. Throws: CommandError when it cannot be written.
void write_report(const std::string& html, const std::filesystem::path& file);

}  // namespace ranktide::cli
