#pragma once
// A SpecError of a cell, found by resolving it, that is about one key: who knows the lines of a file can say it
// where the key is set.

#include <string>
#include <utility>

#include "common/sweep/spec_error.h"

namespace ranktide {

struct SettingError : SpecError {
  SettingError(std::string of, const std::string& message) : SpecError(message), key(std::move(of)) {}

  std::string key;  // of a setting; or the name of the axis whose `when` it is
};

}  // namespace ranktide
