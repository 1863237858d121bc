#include "worker/trainer/lm/product.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/record_function.h>
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/panel_product.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ranktide {
namespace {

using at::Tensor;

// From AVX512 on oneDNN has kernels for bf16 on x86, before it there are none; on ARM they take the
// instructions for it.
bool processor_multiplies_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f");
#elif defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
  return true;
#endif
}

bool& is_bf16_multiplied_as_it_is() {
  static bool is = processor_multiplies_bf16();
  return is;
}

// Without OpenMP at::parallel_for is a loop of one thread, where LibTorch's library has threads of its own.
bool computes_panels_on_threads() {
#if defined(_OPENMP)
  return has_panel_products();
#else
  return false;
#endif
}

bool& are_panels_on() {
  static bool are = computes_panels_on_threads();
  return are;
}

// A first factor that lies by columns is read across its lines, which a short side makes up for. The gradient
// of a weight has none: LibTorch's library is faster there.
bool suits_panels(const Tensor& a, int64_t columns) {
  constexpr int64_t kShort = 4 * kPanelColumns;
  return a.stride(-1) == 1 || std::min(a.size(-2), columns) <= kShort;
}

bool is_by_panels(const Tensor& out, const Tensor& a, const Tensor& b) {
  const auto fits = [](const Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; };
  return are_panels_on() && fits(out) && fits(a) && fits(b) && out.stride(-1) == 1 && out.numel() > 0 &&
         a.size(-1) > 0 && out.size(-2) >= kTileRows && 2 * out.size(-1) >= kPanelColumns &&
         suits_panels(a, out.size(-1));
}

int64_t offset_of(const Tensor& x, int64_t matrix) {
  return x.dim() == 3 ? matrix * x.stride(0) : 0;
}

MatrixView view_of(const Tensor& x, int64_t matrix) {
  return {.values = x.const_data_ptr<float>() + offset_of(x, matrix),
          .row_step = x.stride(-2),
          .column_step = x.stride(-1)};
}

// One product of a batch, or the only one.
PanelProduct panel_product_of(const Tensor& out, const Tensor& a, const Tensor& b, int64_t matrix) {
  return {.m = out.size(-2),
          .k = a.size(-1),
          .n = out.size(-1),
          .a = view_of(a, matrix),
          .b = view_of(b, matrix),
          .out = out.mutable_data_ptr<float>() + offset_of(out, matrix),
          .out_row_step = out.stride(-2)};
}

// How a product is cut: rows times columns.
struct Cut {
  int64_t rows = 1, columns = 1;
  int64_t parts() const { return rows * columns; }
};

// Each part packs the columns that it computes, so columns are cut first; to rows of a few panels packing is no
// longer small.
Cut cut_of(int64_t m, int64_t n, int64_t parts) {
  constexpr int64_t kPanelsPerPart = 4;
  Cut cut{.rows = parts};
  while (cut.rows % 2 == 0 && 2 * cut.columns * kPanelsPerPart * kPanelColumns <= n)
    cut = {.rows = cut.rows / 2, .columns = 2 * cut.columns};
  cut.rows = std::min(cut.rows, (m + kTileRows - 1) / kTileRows);
  return cut;
}

ProductPart part_of(const PanelProduct& product, const Cut& cut, int64_t index) {
  const auto border = [](int64_t size, int64_t unit, int64_t at, int64_t of) {
    return std::min(size, (size + unit - 1) / unit * at / of * unit);
  };
  const int64_t row = index / cut.columns, column = index % cut.columns;
  return {.from_row = border(product.m, kTileRows, row, cut.rows),
          .to_row = border(product.m, kTileRows, row + 1, cut.rows),
          .from_column = border(product.n, kPanelColumns, column, cut.columns),
          .to_column = border(product.n, kPanelColumns, column + 1, cut.columns)};
}

// As multiply(). LibTorch's profiler, and whoever else listens, hears of it as of an addmm.
void multiply_by_panels(const Tensor& out, const Tensor& a, const Tensor& b, bool adds, double scale) {
  RECORD_FUNCTION("ranktide::product", std::vector<c10::IValue>({out, a, b}));
  constexpr int64_t kTermsPerTask = 1 << 20;  // fewer are added up before a thread has woken
  const int64_t batch = out.dim() == 3 ? out.size(0) : 1, terms = out.size(-2) * out.size(-1) * a.size(-1);
  const int64_t threads = at::get_num_threads();
  const int64_t parts = threads / std::gcd(threads, batch);  // threads get as many tasks each
  const Cut cut = cut_of(out.size(-2), out.size(-1), std::clamp<int64_t>(terms / kTermsPerTask, 1, parts));
  const int64_t least_tasks = std::max<int64_t>(1, kTermsPerTask / terms);
  at::parallel_for(0, batch * cut.parts(), least_tasks, [&](int64_t from, int64_t to) {
    for (int64_t task = from; task < to; ++task) {
      PanelProduct product = panel_product_of(out, a, b, task / cut.parts());
      product.adds = adds;
      product.scale = static_cast<float>(scale);
      multiply_part(product, part_of(product, cut, task % cut.parts()));
    }
  });
}

void check_sizes(const Tensor& out, const Tensor& a, const Tensor& b) {
  RT_CHECK(a.dim() == out.dim() && b.dim() == out.dim());
  RT_CHECK(a.size(-1) == b.size(-2) && out.size(-2) == a.size(-2) && out.size(-1) == b.size(-1));
  RT_CHECK(out.dim() == 2 || (a.size(0) == out.size(0) && b.size(0) == out.size(0)));
}

// out = scale a b, or out += scale a b, all of one dtype
void multiply(Tensor out, const Tensor& a, const Tensor& b, bool adds, double scale) {
  check_sizes(out, a, b);
  if (is_by_panels(out, a, b)) return multiply_by_panels(out, a, b, adds, scale);
  if (a.dim() == 3)
    at::baddbmm_out(out, out, a, b, adds ? 1 : 0, scale);
  else
    at::addmm_out(out, out, a, b, adds ? 1 : 0, scale);
}

}  // namespace

at::ScalarType factor_dtype(const Tensor& tensor) {
  const bool is_widened =
      tensor.scalar_type() == at::kBFloat16 && tensor.is_cpu() && !is_bf16_multiplied_as_it_is();
  return is_widened ? at::kFloat : tensor.scalar_type();
}

bool multiply_bf16_as_it_is(bool yes) {
  return std::exchange(is_bf16_multiplied_as_it_is(), yes);
}

bool multiply_by_panels(bool yes) {
  return std::exchange(are_panels_on(), yes && computes_panels_on_threads());
}

// A transposed matrix is widened as it lies in memory.
Tensor factor(const Tensor& x, Arena& scratch) {
  const at::ScalarType dtype = factor_dtype(x);
  if (x.scalar_type() != dtype && x.dim() == 2 && x.stride(0) == 1) return scratch.converted(x.t(), dtype).t();
  return scratch.converted(x, dtype);
}

void product_into(const Tensor& out, const Tensor& a, const Tensor& b, Arena& scratch, double scale) {
  const Frame frame(scratch);
  const Tensor left = factor(a, scratch), right = factor(b, scratch);
  const bool fits = out.scalar_type() == left.scalar_type();
  const Tensor product = fits ? out : scratch.take(out.sizes(), left.scalar_type());
  multiply(product, left, right, /*adds=*/false, scale);
  if (!fits) out.copy_(product);
}

void add_product(const Tensor& sum, const Tensor& a, const Tensor& b, Arena& scratch, double scale) {
  const Frame frame(scratch);
  const Tensor left = factor(a, scratch), right = factor(b, scratch);
  if (sum.scalar_type() == left.scalar_type()) return multiply(sum, left, right, /*adds=*/true, scale);
  const Tensor product = scratch.take(sum.sizes(), left.scalar_type());
  multiply(product, left, right, /*adds=*/false, scale);
  sum.add_(product);
}

}  // namespace ranktide
