#include "common/vocabulary/failpoint.h"

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

Failpoint read_failpoint(std::string_view spec) {
  const size_t colon = spec.find(':');
  Failpoint out{.name = std::string(spec.substr(0, colon))};
  if (colon != std::string_view::npos)
    std::from_chars(spec.data() + colon + 1, spec.data() + spec.size(), out.passings_left);
  return out;
}

Failpoint& asked_for() {
  static const char* const text = std::getenv("RANKTIDE_FAILPOINT");
  static Failpoint failpoint = text == nullptr ? Failpoint{} : read_failpoint(text);
  return failpoint;
}

}  // namespace

void pass_failpoint(std::string_view name) {
  Failpoint& failpoint = asked_for();
  if (failpoint.name != name || --failpoint.passings_left > 0) return;
  ::kill(::getpid(), SIGKILL);
}

void set_failpoint(std::string_view spec) {
  asked_for() = read_failpoint(spec);
}

}  // namespace ranktide
