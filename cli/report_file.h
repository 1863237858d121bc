#pragma once
// Writing a sweep's report to a file; shared by `run` and `report`.

#include <filesystem>
#include <string>

#include "coordinator/edge/reader.h"

namespace ranktide::cli {

std::filesystem::path default_report_file(const std::filesystem::path& data, const std::string& sweep);

// Replaces the file in one step. `command` is shown as what reproduces the sweep; empty: not shown.
// Throws: CommandError when it cannot be written, SweepNotFound.
void write_report(const Reader& reader, const std::string& sweep, const std::string& command,
                  const std::filesystem::path& file);

}  // namespace ranktide::cli
