#include "common/sweep/cell_print.h"

#include "common/sweep/identity.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {

CellPrint print_of(const std::string& key, const Json& value) {
  const std::string hex = sha256_hex(key + "\n" + canonical_json(value));
  return {.high = std::stoull(hex.substr(0, 16), nullptr, 16),
          .low = std::stoull(hex.substr(16, 16), nullptr, 16)};
}

CellPrint print_of(const Json& identity) {
  CellPrint out;
  for (const auto& [key, value] : identity.items()) out += print_of(key, value);
  return out;
}

}  // namespace ranktide
