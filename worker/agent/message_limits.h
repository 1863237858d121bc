#pragma once
// Makes what a trainer says fit the messages that carry it (kBodyBytesMax). Pure functions.

#include <vector>

#include "common/vocabulary/work.h"

namespace ranktide {

// Returns: the same findings in pieces that fit a message each. The checkpoint comes last: whoever resumes from
// it must find what was said before it.
std::vector<Findings> in_pieces(Findings all);

// Returns: the outcome with the last 64 KiB of the log and the first 4 KiB of the message.
Outcome trimmed(Outcome outcome);

}  // namespace ranktide
