#pragma once
// Bugs that the simulator plants on purpose, to prove that its checkers find them. Everywhere else this is a
// constant false and costs nothing: only tests/sim compiles the cores with RANKTIDE_SEEDED_BUGS. Not a feature
// switch.

#include <string_view>

namespace ranktide {

#ifdef RANKTIDE_SEEDED_BUGS
// Returns: whether this run of the simulator has that bug (tests/sim/seeded_bug.cpp).
bool seeded_bug(std::string_view name);
#else
constexpr bool seeded_bug(std::string_view) {
  return false;
}
#endif

}  // namespace ranktide
