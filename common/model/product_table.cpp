#include "common/model/product_table.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

// Where a size lies between two measured ones.
struct Between {
  size_t below = 0, above = 0;
  double share = 0;  // of `above`
};

Between between(const std::vector<int64_t>& sizes, int64_t size) {
  const auto above = std::lower_bound(sizes.begin(), sizes.end(), size);
  const auto last = sizes.size() - 1;
  if (above == sizes.end()) return {.below = last, .above = last};
  const auto at = static_cast<size_t>(above - sizes.begin());
  if (*above == size || at == 0) return {.below = at, .above = at};
  const double low = std::log2(static_cast<double>(sizes[at - 1]));
  const double high = std::log2(static_cast<double>(sizes[at]));
  return {.below = at - 1, .above = at, .share = (std::log2(static_cast<double>(size)) - low) / (high - low)};
}

bool is_rate(double rate) {
  return std::isfinite(rate) && rate > 0;
}

size_t index_of(const std::vector<int64_t>& sizes, int64_t size) {
  return static_cast<size_t>(std::lower_bound(sizes.begin(), sizes.end(), size) - sizes.begin());
}

}  // namespace

ProductSpeeds::Grid ProductSpeeds::grid_of(const ProductTable& table, Dtype dtype) {
  const std::string name(text_of(dtype));
  std::array<std::set<int64_t>, 3> seen;
  size_t rows = 0;
  for (const MeasuredProduct& row : table.rows) {
    if (row.dtype != dtype) continue;
    if (!is_rate(row.flops_per_second)) throw TableError("a product in " + name + " has no rate above 0");
    if (std::min({row.m, row.n, row.k}) < 1) throw TableError("a product in " + name + " has no size above 0");
    seen[0].insert(row.m), seen[1].insert(row.n), seen[2].insert(row.k);
    ++rows;
  }
  if (rows == 0) throw TableError("it has no products in " + name);
  Grid grid;
  for (size_t i = 0; i < seen.size(); ++i) grid.sizes[i].assign(seen[i].begin(), seen[i].end());
  const auto& [m, n, k] = grid.sizes;
  if (rows != m.size() * n.size() * k.size())
    throw TableError("its products in " + name + " are no full grid of sizes");
  grid.seconds_per_flop.assign(rows, 0);
  for (const MeasuredProduct& row : table.rows)
    if (row.dtype == dtype)
      grid.seconds_per_flop[(index_of(m, row.m) * n.size() + index_of(n, row.n)) * k.size() +
                            index_of(k, row.k)] = 1 / row.flops_per_second;
  if (std::count(grid.seconds_per_flop.begin(), grid.seconds_per_flop.end(), 0.0) > 0)
    throw TableError("a product in " + name + " is there twice, another is missing");
  return grid;
}

ProductSpeeds::ProductSpeeds(const ProductTable& table)
    : fp32_(grid_of(table, Dtype::fp32)),
      widens_bf16_(table.widens_bf16),
      bytes_per_second_(table.bytes_per_second) {
  if (!is_rate(bytes_per_second_)) throw TableError("its bytes_per_second are not above 0");
  if (!widens_bf16_) bf16_ = grid_of(table, Dtype::bf16);
}

double ProductSpeeds::seconds(Dtype dtype, int64_t m, int64_t n, int64_t k) const {
  const Grid& grid = dtype == Dtype::bf16 && !widens_bf16_ ? bf16_ : fp32_;
  const std::array sizes{std::max(m, grid.sizes[0].front()), std::max(n, grid.sizes[1].front()),
                         std::max(k, grid.sizes[2].front())};
  std::array<Between, 3> at;
  for (size_t i = 0; i < at.size(); ++i) at[i] = between(grid.sizes[i], sizes[i]);
  double per_flop = 0;
  for (unsigned corner = 0; corner < 8; ++corner) {
    double weight = 1;
    size_t index = 0;
    for (size_t i = 0; i < at.size(); ++i) {
      const bool is_above = (corner >> i & 1U) != 0;
      weight *= is_above ? at[i].share : 1 - at[i].share;
      index = index * grid.sizes[i].size() + (is_above ? at[i].above : at[i].below);
    }
    per_flop += weight * grid.seconds_per_flop[index];
  }
  return 2 * static_cast<double>(sizes[0]) * static_cast<double>(sizes[1]) * static_cast<double>(sizes[2]) *
         per_flop;
}

}  // namespace ranktide
