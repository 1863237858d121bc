#pragma once
// What goes wrong with a model folder: a missing, foreign or damaged file. The text names the file, the reason
// and, where there is one, the remedy.

#include <stdexcept>

namespace ranktide {

struct ModelError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace ranktide
