#pragma once
// Tables of products for tests: small sizes, whose rates follow from their sizes.

#include "common/model/product_table.h"

namespace ranktide {

// A table over sizes 8, 64 and 512, whose larger products are faster; every rate and the bandwidth times
// `speed`.
inline ProductTable products_at(double speed, bool widens_bf16 = true) {
  ProductTable table{.device = "test",
                     .instructions = "avx2",
                     .isa = "AVX2",
                     .libtorch = "0",
                     .widens_bf16 = widens_bf16,
                     .bytes_per_second = 8e9 * speed};
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16})
    for (const int64_t m : {8, 64, 512})
      for (const int64_t n : {8, 64, 512})
        for (const int64_t k : {8, 64, 512})
          if (dtype == Dtype::fp32 || !widens_bf16)
            table.rows.push_back({.dtype = dtype,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .flops_per_second = speed * (dtype == Dtype::bf16 ? 2e9 : 1e9) *
                                                      static_cast<double>(4 + m / 8 + n / 16 + k / 32)});
  return table;
}

}  // namespace ranktide
