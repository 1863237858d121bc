#pragma once
// Lines of a file or of standard input, split at \n only, as the windows promise. Not a data reader
// (common/text).

#include <string>
#include <vector>

namespace ranktide {

// Returns: the lines without their \n; a last line without one counts, the nothing after a last \n does not.
std::vector<std::string> split_lines(const std::string& text);

// Returns: the whole of a file; of standard input for "-". Throws: std::runtime_error naming the file and the
// reason.
std::string read_all(const std::string& path);

}  // namespace ranktide
