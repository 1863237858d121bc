#pragma once
// What a walk over a block's cells finds at one number. Plain data.

#include <cstddef>
#include <cstdint>

#include "common/sweep/cell_print.h"
#include "common/sweep/cell_telling.h"

namespace ranktide {

// What a cell is, as Grid counts it.
struct CellLook {
  enum class Kind : uint8_t {
    none,      // no cell: a `when` is false
    excluded,  // by `rule`
    cell,
    unsure,  // look at the cell itself
  };
  Kind kind = Kind::unsure;
  size_t rule = 0;
  CellPrint print;  // of a cell
  CellTold told{};  // likewise
};

}  // namespace ranktide
