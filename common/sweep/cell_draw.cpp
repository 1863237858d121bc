#include "common/sweep/cell_draw.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/sweep/scalar_text.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr int64_t kPermutedMax = int64_t{1} << 62;

uint64_t key_of(const std::string& text) {
  return std::stoull(sha256_hex("ranktide draw 1\n" + text).substr(0, 16), nullptr, 16);
}

bool is_whole(const Axis& axis) {
  const Setting* setting = find_setting(axis.name);
  RT_CHECK(setting);
  return setting->type == SettingType::count;
}

// Whole numbers evenly between two ends are so many points; the logarithm prefers some of them.
uint64_t points_in(const DrawnRange& range, bool whole) {
  if (!whole || range.log) return 0;
  return static_cast<uint64_t>(std::floor(range.max) - std::ceil(range.min)) + 1;
}

double between(const DrawnRange& range, double share) {
  if (range.log) return range.min * std::pow(range.max / range.min, share);
  return range.min + (range.max - range.min) * share;
}

// Every whole number gets the part of the range that is nearest to it, the ends too.
double whole_between(const DrawnRange& range, double share) {
  const double low = std::ceil(range.min);
  const double high = std::floor(range.max);
  const DrawnRange widened{.min = low - 0.5, .max = high + 0.5, .log = range.log};
  return std::clamp(std::round(between(widened, share)), low, high);
}

}  // namespace

CellDraw::CellDraw(const Block& block, uint64_t seed) : key_(key_of(std::to_string(seed) + "\n" + block.name)) {
  __int128 cells = 1;
  bool has_end = true;
  for (size_t axis = 0; axis < block.axes.size(); ++axis) {
    const Axis& given = block.axes[axis];
    DrawnAxis own{.axis = axis,
                  .key = mix(key_, key_of(given.name)),
                  .points = given.points.size(),
                  .range = given.drawn};
    if (given.drawn) {
      own.is_whole = is_whole(given);
      own.points = points_in(*given.drawn, own.is_whole);
    }
    has_end = has_end && own.points > 0;
    cells = std::min<__int128>(cells * static_cast<__int128>(own.points), kPermutedMax);
    axes_.push_back(std::move(own));
  }
  std::sort(axes_.begin(), axes_.end(), [&](const DrawnAxis& a, const DrawnAxis& b) {
    return block.axes[a.axis].name < block.axes[b.axis].name;
  });
  if (has_end && cells < kPermutedMax) size_ = static_cast<int64_t>(cells);
}

// A Feistel network over the next power of four, walked until it lands inside (Black and Rogaway 2002).
uint64_t CellDraw::permuted(uint64_t n) const {
  const auto size = static_cast<uint64_t>(*size_);
  const int half = std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half) - 1;
  do {
    uint64_t left = n >> half;
    uint64_t right = n & mask;
    for (uint64_t round = 0; round < 8; ++round) {
      const uint64_t next = left ^ (mix(mix(key_, round), right) & mask);
      left = right;
      right = next;
    }
    n = left << half | right;
  } while (n >= size);
  return n;
}

CellDraw::Stand CellDraw::stand(const DrawnAxis& axis, int64_t n) const {
  SplitMix64 chance(mix(axis.key, static_cast<uint64_t>(n)));
  if (axis.points > 0) return {.point = chance.below(axis.points)};
  const double share = chance.unit();
  return {.value = axis.is_whole
                       ? whole_between(*axis.range, share)
                       : std::clamp(rounded(between(*axis.range, share)), axis.range->min, axis.range->max)};
}

std::vector<CellDraw::Stand> CellDraw::at(int64_t n) const {
  RT_CHECK(n >= 0);
  RT_CHECK(!size_ || n < *size_);
  std::vector<Stand> out(axes_.size());
  uint64_t left = size_ ? permuted(static_cast<uint64_t>(n)) : 0;
  for (const DrawnAxis& axis : axes_) {
    Stand& own = out[axis.axis];
    if (size_) {
      own.point = left % axis.points;
      left /= axis.points;
    } else {
      own = stand(axis, n);
    }
    if (axis.range && axis.points > 0) own.value = std::ceil(axis.range->min) + static_cast<double>(own.point);
  }
  return out;
}

AxisPoint drawn_point(const Axis& axis, double value) {
  if (!is_whole(axis)) return {.label = short_number(value), .set = {{axis.name, value}}};
  const auto number = static_cast<int64_t>(value);
  return {.label = std::to_string(number), .set = {{axis.name, number}}};
}

}  // namespace ranktide
