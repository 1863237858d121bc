#pragma once
// The version of the engine's arithmetic: what a sweep can ask for (engine.numerics) and what a trainer
// computes.

namespace ranktide {

// Raised whenever a change of the engine may change a bit of a result. Checkpoints of another version are not
// resumed.
inline constexpr int kNumericsVersion = 10;

}  // namespace ranktide
