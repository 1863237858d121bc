#pragma once
// How long something has been so without a break. Pure; one thread.

#include <optional>

#include "common/vocabulary/time.h"

namespace ranktide {

class Stretch {
 public:
  // Returns: whether it is so now and was so at every look for at least `length`.
  bool has_lasted(bool is_so, Duration length, Instant now) {
    if (!is_so) since_.reset();
    if (is_so && !since_) since_ = now;
    return since_ && now - *since_ >= length;
  }

 private:
  std::optional<Instant> since_;
};

}  // namespace ranktide
