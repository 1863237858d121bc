#pragma once
// One deadline per key, ordered by time: the core's answer to "what is due next" without looking at everything.
// Not a timer: somebody else reads the clock and asks. One thread.

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/vocabulary/time.h"

namespace ranktide {

template <class Key>
class Deadlines {
 public:
  void set(const Key& key, Instant at) {
    erase(key);
    at_.emplace(key, at);
    order_.emplace(at, key);
  }
  void erase(const Key& key) {
    const auto it = at_.find(key);
    if (it == at_.end()) return;
    order_.erase({it->second, key});
    at_.erase(it);
  }
  std::optional<Instant> of(const Key& key) const {
    const auto it = at_.find(key);
    return it == at_.end() ? std::nullopt : std::optional(it->second);
  }
  std::optional<Instant> first() const {
    return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
  }
  // Returns: a key whose deadline is at or before `now`, earliest first; nullopt when none is due.
  std::optional<Key> due(Instant now) const {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    return order_.begin()->second;
  }
  void shift_all(Duration by) {
    order_.clear();
    for (auto& [key, at] : at_) {
      at = at + by;
      order_.emplace(at, key);
    }
  }

 private:
  std::map<Key, Instant> at_;
  std::set<std::pair<Instant, Key>> order_;
};

}  // namespace ranktide
