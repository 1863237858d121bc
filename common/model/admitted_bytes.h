#pragma once
// How much memory a slot must have for a trial, by what is predicted of it. Pure.

#include <cstdint>

namespace ranktide {

// Returns: a twentieth more: most predictions are that near to what is measured, and less room would be found
// out by running out of it.
constexpr int64_t admitted_bytes(int64_t predicted_bytes) {
  return predicted_bytes + predicted_bytes / 20;
}

}  // namespace ranktide
