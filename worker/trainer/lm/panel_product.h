#pragma once
// Products of fp32 matrices as loops of an x86 processor that has AVX2 and FMA but not AVX512, where most of a
// step's take less time so than by LibTorch's library, the logits half of it (bench/README.md has all shapes).
// The second factor is copied into panels, a block that the second cache holds at a time, after Goto and van de
// Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008). A value of a product is summed in one
// order, that of k in pieces of 192, whatever part or tile it is computed in: no bit depends on threads or on
// how many rows there are. Without LibTorch, and without threads: product.h has both.

#include <cstdint>

namespace ranktide {

// Value (i, j) lies at values[i row_step + j column_step].
struct MatrixView {
  const float* values = nullptr;
  int64_t row_step = 0, column_step = 0;
};

// out = scale a b, or out += scale a b;   (m, k) (k, n) -> (m, n), k > 0
struct PanelProduct {
  int64_t m = 0, k = 0, n = 0;
  MatrixView a, b;
  float* out = nullptr;      // shares no memory with a and b
  int64_t out_row_step = 0;  // from row to row; each lies in one piece
  bool adds = false;         // to out, which is not read otherwise
  float scale = 1;
};

// Rows and columns that are computed together. A product of fewer wastes what is missing.
constexpr int64_t kTileRows = 6;
constexpr int64_t kPanelColumns = 16;

// Of a product: the rows [from_row, to_row) of the columns [from_column, to_column).
struct ProductPart {
  int64_t from_row = 0, to_row = 0;
  int64_t from_column = 0, to_column = 0;
};

// Returns: whether this is a processor that multiply_part is for.
bool has_panel_products();

// Computes a part. Several threads may compute parts of one product that share no value. Requires:
// has_panel_products().
void multiply_part(const PanelProduct& product, const ProductPart& part);

}  // namespace ranktide
