#pragma once
// By which settings cells are told apart beside what they train, so that what hangs on these alone is worked
// out for one of them and counted for all that agree. What a cell tells is a sum of one hash for each of the
// settings, taken by their values and not by the axes that they hang on: settings that a derivation makes
// differ in every cell tell a handful of things where they have a handful of values. It lives in memory only,
// like a CellPrint. Const after construction, safe from any thread.

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/cell_print.h"
#include "common/sweep/settings.h"

namespace ranktide {

// Full keys of settings, evals among them.
struct Telling {
  std::set<std::string> by_value{};
  std::set<std::string> by_sign{};  // numbers of which only counts whether they are above zero
  std::set<std::string> apart{};  // by their values, too, and by themselves: what they say and what the others
                                  // do are two things (TrialsAlike::told). A key may be among both
};

// What one cell tells: of each telling one thing, or two where anything is told apart; 0 beyond. Each is eight
// bytes a cell.
inline constexpr size_t kToldMax = 3;
using CellTold = std::array<uint64_t, kToldMax>;

// Returns: of how many things a telling is.
inline size_t things_in(const Telling& telling) {
  return telling.apart.empty() ? 1 : 2;
}

class CellTeller {
 public:
  // Of one setting.
  struct Key {
    std::array<bool, kToldMax> by_value{};
    std::array<bool, kToldMax> by_sign{};
    uint64_t above_zero = 0;
  };

  // Requires: at most kToldMax things; no key in by_value and by_sign of one telling.
  explicit CellTeller(const std::vector<Telling>& tellings);

  // Returns: nullptr for a setting that tells nothing. Outlives: this outlives what is returned.
  const Key* find(const std::string& key) const;

  // Adds what a setting tells by its value: an effective one, of which paths stand as they were set.
  // `print`: of that value (cell_print.h).
  static void add(const Key& key, const Json& value, const CellPrint& print, CellTold& told);

  // Adds what all of these tell.
  void add(const SettingValues& values, CellTold& told) const;

 private:
  std::map<std::string, Key> keys_;
};

// Returns: of the values those of evals: they decide no training, and complete() (resolve.h) leaves them out.
SettingValues evals_in(const SettingValues& set);

}  // namespace ranktide
