#include "common/sweep/beside_cells.h"

#include <algorithm>

namespace ranktide {

bool sets_budget(const Axis& axis) {
  return std::any_of(axis.points.begin(), axis.points.end(), [](const AxisPoint& point) {
    const auto first = point.set.lower_bound("budget.");
    return first != point.set.end() && first->first.starts_with("budget.");
  });
}

// The last axis varies fastest, so that offsets of the earlier ones are the larger.
BesideCells::BesideCells(const Block& block) {
  int64_t stride = 1;
  for (auto axis = block.axes.rbegin(); axis != block.axes.rend(); ++axis) {
    const auto points = static_cast<int64_t>(axis->points.size());
    if (points > 1 && sets_budget(*axis)) {
      if (offsets_.size() * axis->points.size() > kBesideCellsMax) {
        axes_.clear();
        offsets_ = {0};
        are_too_many_ = true;
        return;
      }
      std::vector<int64_t> grown;
      for (int64_t point = 0; point < points; ++point)
        for (const int64_t offset : offsets_) grown.push_back(point * stride + offset);
      offsets_ = std::move(grown);
      axes_.emplace_back(stride, points);
    }
    stride *= points;
  }
}

int64_t BesideCells::first_of(int64_t cell) const {
  int64_t out = cell;
  for (const auto& [stride, points] : axes_) out -= cell / stride % points * stride;
  return out;
}

}  // namespace ranktide
