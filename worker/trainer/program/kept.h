#pragma once
// The few most recently used values of an expensive kind, each under a key that says all it depends on.
// At the limit the longest unused is let go; who still holds the pointer keeps it alive. One thread.

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {

template <class T>
class Kept {
 public:
  explicit Kept(size_t limit) : limit_(limit) { RT_CHECK(limit > 0); }

  // Returns: the value kept under `key`, made by `make` when there is none. What `make` throws passes through.
  std::shared_ptr<const T> get(const std::string& key, const std::function<std::shared_ptr<const T>()>& make) {
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->first != key) continue;
      entries_.splice(entries_.begin(), entries_, it);
      return it->second;
    }
    while (entries_.size() >= limit_) entries_.pop_back();  // before `make`, so that both never fill the memory
    entries_.emplace_front(key, make());
    return entries_.front().second;
  }

  void clear() { entries_.clear(); }

 private:
  size_t limit_;
  std::list<std::pair<std::string, std::shared_ptr<const T>>> entries_;  // most recently used first
};

}  // namespace ranktide
