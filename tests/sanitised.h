#pragma once
// How much of what is tried many times a sanitised build tries: it watches memory and arithmetic, several times
// slower, and the plain build shows the claim itself in full.

namespace ranktide {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitised = true;
#else
inline constexpr bool kIsSanitised = false;
#endif

// Returns: of so many seeds, pieces or cases that they must bring, all plainly and a quarter under a sanitiser.
template <class Number>
constexpr Number tried_of(Number all) {
  return kIsSanitised ? all / 4 : all;
}

}  // namespace ranktide
