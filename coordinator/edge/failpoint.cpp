#include "coordinator/edge/failpoint.h"

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace ranktide {
namespace {

struct Failpoint {
  std::string name;  // empty: none asked for
  uint64_t passings_left = 1;
};

Failpoint asked_for() {
  const char* const text = std::getenv("RANKTIDE_FAILPOINT");
  if (text == nullptr) return {};
  const std::string_view spec = text;
  const size_t colon = spec.find(':');
  Failpoint out{.name = std::string(spec.substr(0, colon))};
  if (colon != std::string_view::npos) std::from_chars(text + colon + 1, text + spec.size(), out.passings_left);
  return out;
}

}  // namespace

void pass_failpoint(std::string_view name) {
  static Failpoint failpoint = asked_for();
  if (failpoint.name != name || --failpoint.passings_left > 0) return;
  ::kill(::getpid(), SIGKILL);
}

}  // namespace ranktide
