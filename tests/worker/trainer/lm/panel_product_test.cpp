// The engine's own products: each value, bit by bit, is the sum that panel_product.h says, whatever lies where
// and whoever computes which part. Without LibTorch.

#include "worker/trainer/lm/panel_product.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <ostream>
#include <utility>
#include <vector>

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

using Values = std::vector<float>;

constexpr int64_t kSummedTogether = 192;

// How a factor lies in memory.
enum class Lies { by_rows, by_columns, apart };

struct Case {
  int64_t m = 0, k = 0, n = 0;
  Lies a = Lies::by_rows, b = Lies::by_rows;
  bool adds = false;
  float scale = 1;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.m << "x" << c.k << "x" << c.n << " a " << static_cast<int>(c.a) << " b "
             << static_cast<int>(c.b) << " adds " << c.adds << " scale " << c.scale;
}

Values drawn(int64_t count, uint64_t seed) {
  SplitMix64 chance{seed};
  Values values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(chance.unit() - 0.5);
  return values;
}

// A factor, and a value between its rows or columns.
class Factor {
 public:
  Factor(int64_t rows, int64_t columns, Lies lies, uint64_t seed) : row_step_(columns + 1), column_step_(1) {
    if (lies == Lies::by_columns) row_step_ = 1, column_step_ = rows + 1;
    if (lies == Lies::apart) row_step_ = 2 * columns + 1, column_step_ = 2;
    values_ =
        drawn((rows - 1) * row_step_ + (columns - 1) * column_step_ + 1, seed);  // to the last, and no more
  }
  MatrixView view() const {
    return {.values = values_.data(), .row_step = row_step_, .column_step = column_step_};
  }
  float at(int64_t row, int64_t column) const {
    return values_[static_cast<size_t>(row * row_step_ + column * column_step_)];
  }

 private:
  int64_t row_step_, column_step_;
  Values values_;
};

// A product with its memory; rows of the result lie apart, and nothing is written between them.
struct Set {
  explicit Set(const Case& c)
      : a(c.m, c.k, c.a, 1), b(c.k, c.n, c.b, 2), before(drawn(c.m * (c.n + 3), 3)), out(before) {
    product = {.m = c.m,
               .k = c.k,
               .n = c.n,
               .a = a.view(),
               .b = b.view(),
               .out = out.data(),
               .out_row_step = c.n + 3,
               .adds = c.adds,
               .scale = c.scale};
  }
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;

  // As the header says it, one value after the other.
  Values expected() const {
    Values wanted = before;
    for (int64_t i = 0; i < product.m; ++i)
      for (int64_t j = 0; j < product.n; ++j) {
        float& value = wanted[static_cast<size_t>(i * product.out_row_step + j)];
        for (int64_t from = 0; from < product.k; from += kSummedTogether) {
          float sum = 0;
          for (int64_t k = from; k < std::min(product.k, from + kSummedTogether); ++k)
            sum = std::fma(a.at(i, k), b.at(k, j), sum);
          sum *= product.scale;
          value = product.adds || from > 0 ? value + sum : sum;
        }
      }
    return wanted;
  }

  Factor a, b;
  Values before, out;
  PanelProduct product;
};

class PanelProducts : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_panel_products()) GTEST_SKIP() << "this processor has other products: no AVX2 and FMA, or AVX512";
  }
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const Lies a : {Lies::by_rows, Lies::by_columns, Lies::apart})
    for (const Lies b : {Lies::by_rows, Lies::by_columns, Lies::apart})
      for (const auto& [m, k, n] : {std::array<int64_t, 3>{1, 1, 1},
                                    {6, 192, 16},
                                    {7, 193, 17},
                                    {13, 9, 80},
                                    {97, 24, 31},
                                    {5, 1000, 70},
                                    {200, 200, 130}})
        out.push_back({.m = m, .k = k, .n = n, .a = a, .b = b});
  out.push_back({.m = 20, .k = 400, .n = 70, .adds = true});
  out.push_back({.m = 20, .k = 400, .n = 70, .adds = true, .scale = 0.3F});
  out.push_back({.m = 20, .k = 400, .n = 70, .scale = -1.7F});
  return out;
}

TEST_F(PanelProducts, EachValueIsTheSumThatIsPromised) {
  for (const Case& of : cases()) {
    Set set(of);
    multiply_part(set.product, {.from_row = 0, .to_row = of.m, .from_column = 0, .to_column = of.n});
    EXPECT_EQ(set.out, set.expected()) << of;
  }
}

TEST_F(PanelProducts, OfPartsIsTheWholeBitByBit) {
  const Case of{.m = 120, .k = 1000, .n = 90, .adds = true, .scale = 0.7F};
  Set whole(of), parts(of);
  multiply_part(whole.product, {.from_row = 0, .to_row = 120, .from_column = 0, .to_column = 90});
  for (const auto& [from_row, to_row] : {std::pair<int64_t, int64_t>{19, 120}, {0, 19}, {0, 0}})
    for (const auto& [from, to] : {std::pair<int64_t, int64_t>{0, 21}, {21, 90}})
      multiply_part(parts.product,
                    {.from_row = from_row, .to_row = to_row, .from_column = from, .to_column = to});
  EXPECT_EQ(whole.out, parts.out);
}

TEST_F(PanelProducts, WriteNoValueOfAnotherPart) {
  Set set({.m = 20, .k = 10, .n = 40});
  multiply_part(set.product, {.from_row = 6, .to_row = 12, .from_column = 16, .to_column = 32});
  const Values wanted = set.expected();
  for (int64_t i = 0; i < 20; ++i)
    for (int64_t j = 0; j < 40; ++j) {
      const bool is_in = i >= 6 && i < 12 && j >= 16 && j < 32;
      const auto at = static_cast<size_t>(i * set.product.out_row_step + j);
      EXPECT_EQ(set.out[at], is_in ? wanted[at] : set.before[at]) << i << ", " << j;
    }
}

}  // namespace
}  // namespace ranktide
