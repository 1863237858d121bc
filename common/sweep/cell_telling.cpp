#include "common/sweep/cell_telling.h"

#include "common/sweep/cell_print.h"
#include "common/vocabulary/check.h"

namespace ranktide {

CellTeller::CellTeller(const std::vector<Telling>& tellings) {
  size_t thing = 0;
  for (const Telling& telling : tellings) {
    RT_CHECK(thing + things_in(telling) <= kToldMax);
    for (const std::string& key : telling.by_value) keys_[key].by_value[thing] = true;
    for (const std::string& key : telling.by_sign) {
      keys_[key].by_sign[thing] = true;
      RT_CHECK(!keys_[key].by_value[thing]);
    }
    for (const std::string& key : telling.apart) keys_[key].by_value[thing + 1] = true;
    thing += things_in(telling);
  }
  for (auto& [key, how] : keys_) how.above_zero = print_of(key, "above zero").low;
}

const CellTeller::Key* CellTeller::find(const std::string& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &found->second;
}

void CellTeller::add(const Key& key, const Json& value, const CellPrint& print, CellTold& told) {
  const uint64_t sign = value.is_number() && value.get<double>() > 0 ? key.above_zero : 0;
  for (size_t i = 0; i < told.size(); ++i) told[i] += key.by_value[i] ? print.low : key.by_sign[i] ? sign : 0;
}

void CellTeller::add(const SettingValues& values, CellTold& told) const {
  for (const auto& [key, value] : values)
    if (const Key* own = find(key)) add(*own, value, print_of(key, value), told);
}

SettingValues evals_in(const SettingValues& set) {
  SettingValues out;
  for (auto it = set.lower_bound("eval."); it != set.end() && it->first.starts_with("eval."); ++it)
    out.insert(*it);
  return out;
}

}  // namespace ranktide
