// libFuzzer on the reader of sweep files. Any bytes are refused with a SpecError or give a sweep; a sweep that
// is accepted is the same after a round over the wire: it validates and has equal trials.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "common/sweep/grid.h"
#include "common/sweep/sweep_yaml.h"
#include "common/sweep/text_bytes.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr int64_t kTrialsMax = 500;     // a larger grid is only refused more slowly
constexpr int64_t kTrialsCompared = 8;  // of one grid, from its start

void check_trials(const Grid& grid, const Grid& again) {
  RT_CHECK(grid.raw_count() == again.raw_count());
  for (int64_t raw = 0; raw < std::min(grid.raw_count(), kTrialsCompared); ++raw) {
    const auto trial = grid.at(raw);
    const auto same = again.at(raw);
    RT_CHECK(trial.has_value() == same.has_value());
    if (!trial) continue;
    RT_CHECK(trial->id == same->id);
  }
}

void read(std::string_view text) {
  SweepSpec spec;
  try {
    spec = parse_sweep(text, "fuzz.yaml", "/sweeps", {}, kTrialsMax);
  } catch (const SpecError& e) {
    RT_CHECK(first_bad_byte(e.what()) == std::string_view::npos);
    RT_CHECK(first_bad_byte(e.excerpt) == std::string_view::npos);
    return;
  }
  const SweepSpec again = from_json<SweepSpec>(parse_json(to_json(spec).dump()));
  RT_CHECK(to_json(again) == to_json(spec));
  validate(again);
  try {
    check_trials(Grid(spec), Grid(again));
  } catch (const SpecError&) {  // a cell that does not resolve
  }
}

}  // namespace
}  // namespace ranktide

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ranktide::read({reinterpret_cast<const char*>(data), size});
  return 0;
}
