#pragma once
// The names of things, each its own type so that a trial is never passed where a stage is meant.
// Content ids (trial, stage, eval, base) are 64 lower-case hex digits of a SHA-256; people see the first 12.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ranktide {

template <class Tag>
struct Id {
  std::string text;

  Id() = default;
  explicit Id(std::string t) : text(std::move(t)) {}
  bool empty() const { return text.empty(); }
  // Returns: the form that people see; any unique prefix is accepted back.
  std::string brief() const { return text.substr(0, 12); }
  friend auto operator<=>(const Id&, const Id&) = default;
};

using TrialId = Id<struct TrialTag>;  // hash of the settings and inputs that can change a training
using StageId = Id<struct StageTag>;  // hash of (parent or base) + settings + [from, to)
using EvalId = Id<struct EvalTag>;    // hash of (base or stage@step) + eval spec
using BaseId = Id<struct BaseTag>;    // hash of config.json and every weight file of a base model
using CellId = Id<struct CellTag>;    // hash of a trial's settings without its seed
using UnitId = Id<struct UnitTag>;    // what a lease speaks of: a stage, or an eval leased by itself

// The identity of a worker: the name its CURVE key is enrolled under, never a claim in a message.
using WorkerName = Id<struct WorkerTag>;

using Step = int64_t;         // optimizer steps done; 0 is the untouched base
using Attempt = int32_t;      // the n-th try of a unit, from 1; the fencing token
using SweepNumber = int64_t;  // counter in the coordinator's state, from 1

inline UnitId unit_of(const StageId& s) {
  return UnitId{s.text};
}
inline UnitId unit_of(const EvalId& e) {
  return UnitId{e.text};
}

// A unit and the try of it that a message speaks of. A lower attempt than the granted one is never listened to.
struct Lease {
  UnitId unit;
  Attempt attempt = 0;
  friend auto operator<=>(const Lease&, const Lease&) = default;
};

}  // namespace ranktide
