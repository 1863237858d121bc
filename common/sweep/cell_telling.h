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

#include "common/sweep/settings.h"

namespace ranktide {

// Full keys of settings, evals among them.
struct Telling {
  std::set<std::string> by_value{};
  std::set<std::string> by_sign{};  // numbers of which only counts whether they are above zero
};
inline constexpr size_t kTellingsMax = 2;  // of one walk; each is eight bytes a cell

using CellTold = std::array<uint64_t, kTellingsMax>;  // beside the tellings; 0 beyond

class CellTeller {
 public:
  // Requires: at most kTellingsMax tellings; no key in both sets of one.
  explicit CellTeller(const std::vector<Telling>& tellings);

  // Adds what a setting tells by its value: an effective one, of which paths stand as they were set.
  void add(const std::string& key, const Json& value, CellTold& told) const;

  // Adds what all of these tell.
  void add(const SettingValues& values, CellTold& told) const;

  // Returns: whether a setting tells anything.
  bool tells(const std::string& key) const { return keys_.contains(key); }

 private:
  struct Key {
    std::array<bool, kTellingsMax> by_value{};
    std::array<bool, kTellingsMax> by_sign{};
    uint64_t above_zero = 0;
  };
  std::map<std::string, Key> keys_;
};

// Returns: of the values those of evals: they decide no training, and complete() (resolve.h) leaves them out.
SettingValues evals_in(const SettingValues& set);

}  // namespace ranktide
