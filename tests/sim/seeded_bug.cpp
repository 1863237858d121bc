#include "tests/sim/seeded_bug.h"

#include <cstdlib>

#include "common/vocabulary/seeded_bug.h"

namespace ranktide {
namespace {

std::string& planted() {
  static std::string name = [] {
    const char* from_environment = std::getenv("RANKTIDE_SEED_BUG");
    return std::string(from_environment ? from_environment : "");
  }();
  return name;
}

}  // namespace

bool seeded_bug(std::string_view name) {
  return planted() == name;
}

void sim::plant_bug(const std::string& name) {
  planted() = name;
}

}  // namespace ranktide
