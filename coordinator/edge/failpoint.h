#pragma once
// Named places at the seams of the turn where a test can end the process as kill -9 would.
// RANKTIDE_FAILPOINT=<name>:<n> ends it at the n-th passing of that place; unset, passing costs one comparison.
// Thread rule: the turn's thread.

#include <string_view>

namespace ranktide {

// Names: before_commit, after_commit, after_send. Returns only if this is not the place and time asked for.
void pass_failpoint(std::string_view name);

}  // namespace ranktide
