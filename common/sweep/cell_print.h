#pragma once
// 128 bits that stand for what a cell trains, so that walks over many cells can tell equal ones: the sum of one
// hash for each setting of its identity. A fast one and no cryptographic one, as there is one for each cell
// where a value is derived. It lives in memory only, is no id, and goes to no disk and no wire. Whoever acts on
// a single match compares the identities too. Pure functions.

#include <compare>
#include <cstdint>
#include <string>

#include "common/vocabulary/wire.h"

namespace ranktide {

struct CellPrint {
  uint64_t high = 0;
  uint64_t low = 0;
  friend auto operator<=>(const CellPrint&, const CellPrint&) = default;

  // A sum, so that the order of settings says nothing and parts can be added up beforehand.
  CellPrint& operator+=(const CellPrint& part) {
    low += part.low;
    high += part.high + (low < part.low ? 1 : 0);
    return *this;
  }
};

// Returns: the part of one setting. `value` as it stands in TrialIdentity::settings.
CellPrint print_of(const std::string& key, const Json& value);

// Returns: of a whole TrialIdentity::settings without a seed.
CellPrint print_of(const Json& identity);

}  // namespace ranktide
