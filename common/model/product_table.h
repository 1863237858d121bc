#pragma once
// How fast one device makes matrix products and passes over memory, measured once (`ranktide-trainer gemm`):
// what a model's time is predicted from. Values only: who measures, keeps or trusts a table stands elsewhere.

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/vocabulary/trial.h"

namespace ranktide {

struct TableError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// (m, k) (k, n)
struct MeasuredProduct {
  Dtype dtype = Dtype::fp32;  // of the factors
  int64_t m = 0, n = 0, k = 0;
  double flops_per_second = 0;
};
template <class Ar>
void fields(Ar& ar, MeasuredProduct& p) {
  ar("dtype", p.dtype)("m", p.m)("n", p.n)("k", p.k)("flops_per_second", p.flops_per_second);
}

// Kept on disk and printed: fields are only added.
struct ProductTable {
  std::string device;        // Processor::name
  std::string instructions;  // Processor::instructions
  std::string isa;           // what LibTorch picked of them, as it names it
  int threads = 1;
  std::string libtorch;
  int numerics_version = 0;
  bool widens_bf16 = false;     // bf16 is multiplied by fp32's kernels and has no rows
  double bytes_per_second = 0;  // read and written by element-wise work
  std::vector<MeasuredProduct> rows;
};
template <class Ar>
void fields(Ar& ar, ProductTable& t) {
  ar("device", t.device)("instructions", t.instructions)("isa", t.isa)("threads", t.threads);
  ar("libtorch", t.libtorch)("numerics_version", t.numerics_version)("widens_bf16", t.widens_bf16);
  ar("bytes_per_second", t.bytes_per_second)("rows", t.rows);
}

// A table made ready to be asked. Const after construction; any thread.
class ProductSpeeds {
 public:
  // Throws: TableError for rows that are no full grid of (m, n, k), for a dtype without any, and for rates that
  // are not above 0.
  explicit ProductSpeeds(const ProductTable& table);

  // Returns: seconds of a product whose factors have this dtype, widened where the device does so (without the
  // widening). Between measured sizes, the seconds per FLOP are a straight line over the logarithm of each
  // size; beyond the largest they stay; a size below the smallest costs what the smallest costs.
  double seconds(Dtype dtype, int64_t m, int64_t n, int64_t k) const;
  // Returns: seconds of element-wise work that reads and writes so many bytes.
  double seconds_of_bytes(double bytes) const { return bytes / bytes_per_second_; }
  bool widens_bf16() const { return widens_bf16_; }

 private:
  struct Grid {                                 // of one dtype
    std::array<std::vector<int64_t>, 3> sizes;  // of m, n, k; each rises
    std::vector<double> seconds_per_flop;       // m outermost, k innermost
  };
  static Grid grid_of(const ProductTable& table, Dtype dtype);

  Grid fp32_, bf16_;
  bool widens_bf16_ = false;
  double bytes_per_second_ = 0;
};

}  // namespace ranktide
