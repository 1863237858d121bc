#pragma once
// The errors that one reading of a sweep file finds, so that a user mends them all in one go. A unit of the
// file (a key, an axis, a rule, a block) is attempted; what is wrong with it is kept and the reader goes on to
// the next. Who reads on must not look at what failed: an error that only follows from another helps nobody.
// One thread.

#include <cstddef>
#include <vector>

#include "common/sweep/spec_error.h"

namespace ranktide {

inline constexpr size_t kErrorsShownMax = 20;  // of one file; the others are counted

class SpecErrors {
 public:
  void add(SpecError error);

  // Returns: whether `act` threw no SpecError; what it threw is kept.
  template <class Act>
  bool attempt(Act&& act) {
    try {
      act();
      return true;
    } catch (const SpecError& e) {
      add(e);
      return false;
    }
  }

  size_t count() const { return errors_.size(); }

  // Throws: SpecError with all of them in file order, those without a place last; nothing when there are none.
  void throw_if_any() const;

 private:
  std::vector<SpecError> errors_;
};

// Runs `act`, keeping its SpecError where somebody collects them. Returns: whether it threw none.
template <class Act>
bool attempt(SpecErrors* errors, Act&& act) {
  if (errors) return errors->attempt(act);
  act();
  return true;
}

}  // namespace ranktide
