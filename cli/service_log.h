#pragma once
// How a service writes its log on stderr: as text, or one JSON object a line.

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace ranktide::cli {

// Adds --log-format, with RANKTIDE_LOG_FORMAT behind it. Default: empty, the terminal decides.
void add_log_format(CLI::App& command, std::string& format);

// Returns: whether lines are JSON: as the format says, text or json; where it is empty, off a terminal.
bool writes_json(const std::string& format, bool is_terminal);

// Makes spdlog's default logger one of a service. Requires: called before the first thread.
void log_as_service(const std::string& format);

// Returns: {"at":"2026-01-01T00:00:00.000000Z","event":...,"level":...} with its newline; control characters
// are escaped, what is over 8 KB is cut.
std::string json_log_line(int64_t unix_us, std::string_view level, std::string_view event);

}  // namespace ranktide::cli
