#pragma once
// What a listening socket of the coordinator throws when it cannot serve. Any thread.

#include <stdexcept>

namespace ranktide {

struct RouterError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace ranktide
