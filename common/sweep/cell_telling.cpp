#include "common/sweep/cell_telling.h"

#include <algorithm>

#include "common/sweep/cell_print.h"
#include "common/vocabulary/check.h"

namespace ranktide {

CellTeller::CellTeller(const std::vector<Telling>& tellings) {
  RT_CHECK(tellings.size() <= kTellingsMax);
  for (size_t i = 0; i < tellings.size(); ++i) {
    for (const std::string& key : tellings[i].by_value) keys_[key].by_value[i] = true;
    for (const std::string& key : tellings[i].by_sign) {
      keys_[key].by_sign[i] = true;
      RT_CHECK(!keys_[key].by_value[i]);
    }
  }
  for (auto& [key, how] : keys_) how.above_zero = print_of(key, "above zero").low;
}

void CellTeller::add(const std::string& key, const Json& value, CellTold& told) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  const Key& how = found->second;
  const bool is_hashed = std::any_of(how.by_value.begin(), how.by_value.end(), [](bool does) { return does; });
  const uint64_t whole = is_hashed ? print_of(key, value).low : 0;
  const uint64_t sign = value.is_number() && value.get<double>() > 0 ? how.above_zero : 0;
  for (size_t i = 0; i < told.size(); ++i) told[i] += how.by_value[i] ? whole : how.by_sign[i] ? sign : 0;
}

void CellTeller::add(const SettingValues& values, CellTold& told) const {
  for (const auto& [key, value] : values) add(key, value, told);
}

SettingValues evals_in(const SettingValues& set) {
  SettingValues out;
  for (auto it = set.lower_bound("eval."); it != set.end() && it->first.starts_with("eval."); ++it)
    out.insert(*it);
  return out;
}

}  // namespace ranktide
