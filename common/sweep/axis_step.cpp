#include "common/sweep/axis_step.h"

#include <cmath>

#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

double moved(const AxisSpacing& spacing, double value, AxisEnd end) {
  if (spacing.log) return end == AxisEnd::highest ? value * spacing.step : value / spacing.step;
  return end == AxisEnd::highest ? value + spacing.step : value - spacing.step;
}

}  // namespace

std::optional<Json> value_beyond(const Setting& setting, const AxisSpacing& spacing, const Json& value,
                                 AxisEnd end) {
  const bool is_length = value.is_object();
  const Json& number = is_length ? *value.begin() : value;
  RT_CHECK(number.is_number());
  const double next = moved(spacing, number.get<double>(), end);
  Json inner = rounded(next);
  if (number.is_number_integer()) inner = static_cast<int64_t>(std::llround(next));
  const Json out = is_length ? Json{{value.begin().key(), inner}} : inner;
  if (inner == number || refusal(setting, out)) return std::nullopt;
  return out;
}

}  // namespace ranktide
