#include "worker/trainer/lm/panel_product.h"

#include <algorithm>

#include "common/vocabulary/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ranktide {

#if defined(__x86_64__)
#define RANKTIDE_AVX2 [[gnu::target("avx2,fma")]]
namespace {

constexpr int64_t kLanes = 8;
// What a tile multiplies at once, 4.5 and 12 KiB of the first cache. Longer sums would be less exact.
constexpr int64_t kPieceInner = 192;
// Of the second factor, 192 KiB of the second cache.
constexpr int64_t kBlockInner = 4 * kPieceInner;
constexpr int64_t kBlockColumns = 4 * kPanelColumns;
// Rows for which a block's columns are computed before the next rows.
constexpr int64_t kBlockRows = 16 * kTileRows;

struct Range {
  int64_t from = 0, to = 0;
  int64_t size() const { return to - from; }
};

// Calls visit(Range) for one piece of `step` after the other, and for what is left.
template <class Visit>
void for_each_piece(const Range& range, int64_t step, const Visit& visit) {
  for (int64_t from = range.from; from < range.to; from += step)
    visit(Range{.from = from, .to = std::min(from + step, range.to)});
}

// A block of the second factor: pieces of k, each with its panels one after the other, kPanelColumns values for
// every k in one. Columns that are missing are 0.
struct PackedBlock {
  alignas(64) float values[kBlockInner * kBlockColumns];
  float* piece(int64_t inner) { return values + inner * kBlockColumns; }
};

// to = from', 8 by 8
RANKTIDE_AVX2 inline void transpose(const float* from, int64_t from_step, float* to) {
  __m256 row[kLanes], pair[kLanes], quad[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) row[i] = _mm256_loadu_ps(from + i * from_step);
  for (int64_t i = 0; i < kLanes; i += 2) {
    pair[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
    pair[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
  }
  for (int64_t i = 0; i < kLanes; i += 4) {
    quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
    quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xEE);
    quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
    quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xEE);
  }
  for (int64_t i = 0; i < kLanes / 2; ++i) {
    _mm256_store_ps(to + i * kPanelColumns, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20));
    _mm256_store_ps(to + (i + 4) * kPanelColumns, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31));
  }
}

void pack_one_by_one(const MatrixView& from, const Range& inner, int64_t columns, float* panel) {
  for (int64_t k = inner.from; k < inner.to; ++k)
    for (int64_t j = 0; j < columns; ++j)
      panel[k * kPanelColumns + j] = from.values[k * from.row_step + j * from.column_step];
}

// panel[k][j] = from[k][j] of `inner` rows
RANKTIDE_AVX2 void pack_panel(const MatrixView& from, int64_t inner, int64_t columns, float* panel) {
  if (columns < kPanelColumns) {
    std::fill_n(panel, inner * kPanelColumns, 0.0F);
    return pack_one_by_one(from, {0, inner}, columns, panel);
  }
  if (from.column_step == 1) {
    for (int64_t k = 0; k < inner; ++k)
      for (int64_t j = 0; j < kPanelColumns; j += kLanes)
        _mm256_store_ps(panel + k * kPanelColumns + j, _mm256_loadu_ps(from.values + k * from.row_step + j));
    return;
  }
  const int64_t squares = from.row_step == 1 ? inner / kLanes * kLanes : 0;
  for (int64_t k = 0; k < squares; k += kLanes)
    for (int64_t j = 0; j < kPanelColumns; j += kLanes)
      transpose(from.values + k + j * from.column_step, from.column_step, panel + k * kPanelColumns + j);
  pack_one_by_one(from, {squares, inner}, columns, panel);
}

// Rows of the first factor.
struct TileRows {
  const float* values = nullptr;
  int64_t row_step = 0, inner_step = 0;
  int64_t count = 0;  // 1 to kTileRows
  const float* row(int64_t i) const { return values + std::min(i, count - 1) * row_step; }
};

struct TileOut {
  float* values = nullptr;
  int64_t row_step = 0;
  int64_t columns = 0;  // 1 to kPanelColumns
  bool adds = false;
  float scale = 1;
};

// Of a row of a tile.
struct RowSums {
  __m256 left = {}, right = {};
};

RANKTIDE_AVX2 inline void add_terms(const float* a, __m256 left, __m256 right, RowSums& sums) {
  const __m256 factor = _mm256_broadcast_ss(a);
  sums.left = _mm256_fmadd_ps(factor, left, sums.left);
  sums.right = _mm256_fmadd_ps(factor, right, sums.right);
}

RANKTIDE_AVX2 inline void store(const TileOut& out, int64_t row, const RowSums& sums) {
  float* to = out.values + row * out.row_step;
  __m256 left = _mm256_mul_ps(_mm256_set1_ps(out.scale), sums.left);
  __m256 right = _mm256_mul_ps(_mm256_set1_ps(out.scale), sums.right);
  if (out.columns < kPanelColumns) {
    alignas(32) float values[kPanelColumns];
    _mm256_store_ps(values, left);
    _mm256_store_ps(values + kLanes, right);
    for (int64_t j = 0; j < out.columns; ++j) to[j] = out.adds ? to[j] + values[j] : values[j];
    return;
  }
  if (out.adds) {
    left = _mm256_add_ps(_mm256_loadu_ps(to), left);
    right = _mm256_add_ps(_mm256_loadu_ps(to + kLanes), right);
  }
  _mm256_storeu_ps(to, left);
  _mm256_storeu_ps(to + kLanes, right);
}

// out (+)= scale rows panel. 12 registers of sums, two of the panel, one of a row: variables, for an array
// would lie in memory; and not inlined, for the caller's would take the registers of the rows' addresses. A row
// that is missing is the last one again.
template <bool kIsRowInOnePiece>
[[gnu::noinline]] RANKTIDE_AVX2 void multiply_tile(const TileRows& rows, const float* panel, int64_t inner,
                                                   const TileOut& out) {
  const int64_t step = kIsRowInOnePiece ? 1 : rows.inner_step;
  const float *a0 = rows.row(0), *a1 = rows.row(1), *a2 = rows.row(2), *a3 = rows.row(3), *a4 = rows.row(4),
              *a5 = rows.row(5);
  RowSums s0, s1, s2, s3, s4, s5;
  for (int64_t i = 0; i < rows.count; ++i) _mm_prefetch(out.values + i * out.row_step, _MM_HINT_T0);
#pragma GCC unroll 4
  for (int64_t k = 0; k < inner; ++k) {
    const __m256 left = _mm256_load_ps(panel + k * kPanelColumns);
    const __m256 right = _mm256_load_ps(panel + k * kPanelColumns + kLanes);
    add_terms(a0 + k * step, left, right, s0);
    add_terms(a1 + k * step, left, right, s1);
    add_terms(a2 + k * step, left, right, s2);
    add_terms(a3 + k * step, left, right, s3);
    add_terms(a4 + k * step, left, right, s4);
    add_terms(a5 + k * step, left, right, s5);
  }
  store(out, 0, s0);
  if (rows.count > 1) store(out, 1, s1);
  if (rows.count > 2) store(out, 2, s2);
  if (rows.count > 3) store(out, 3, s3);
  if (rows.count > 4) store(out, 4, s4);
  if (rows.count > 5) store(out, 5, s5);
}

// The columns of a block, of the rows of one tile and a piece of k.
void multiply_row_of_tiles(const PanelProduct& product, const Range& tile, const Range& inner,
                           const Range& columns, const float* panels) {
  const auto& [values, row_step, inner_step] = product.a;
  const TileRows rows{.values = values + tile.from * row_step + inner.from * inner_step,
                      .row_step = row_step,
                      .inner_step = inner_step,
                      .count = tile.size()};
  const auto multiply = inner_step == 1 ? multiply_tile<true> : multiply_tile<false>;
  for_each_piece(columns, kPanelColumns, [&](const Range& panel) {
    multiply(rows, panels, inner.size(),
             {.values = product.out + tile.from * product.out_row_step + panel.from,
              .row_step = product.out_row_step,
              .columns = panel.size(),
              .adds = product.adds || inner.from > 0,
              .scale = product.scale});
    panels += inner.size() * kPanelColumns;
  });
}

// Rows `inner` of b and these columns of it.
void pack_block(const MatrixView& b, const Range& inner, const Range& columns, PackedBlock& block) {
  for_each_piece(inner, kPieceInner, [&](const Range& piece) {
    float* panels = block.piece(piece.from - inner.from);
    for_each_piece(columns, kPanelColumns, [&](const Range& panel) {
      const float* first = b.values + piece.from * b.row_step + panel.from * b.column_step;
      pack_panel({first, b.row_step, b.column_step}, piece.size(), panel.size(), panels);
      panels += piece.size() * kPanelColumns;
    });
  });
}

void multiply_block(const PanelProduct& product, const Range& all_rows, const Range& inner,
                    const Range& columns, PackedBlock& block) {
  pack_block(product.b, inner, columns, block);
  for_each_piece(all_rows, kBlockRows, [&](const Range& rows) {
    for_each_piece(inner, kPieceInner, [&](const Range& piece) {
      for_each_piece(rows, kTileRows, [&](const Range& tile) {
        multiply_row_of_tiles(product, tile, piece, columns, block.piece(piece.from - inner.from));
      });
    });
  });
}

}  // namespace

bool has_panel_products() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !__builtin_cpu_supports("avx512f");
}

void multiply_part(const PanelProduct& product, const ProductPart& part) {
  static thread_local PackedBlock block;
  const Range rows{part.from_row, part.to_row}, all_columns{part.from_column, part.to_column};
  RT_CHECK(product.k > 0);
  RT_CHECK(rows.from >= 0 && rows.to <= product.m);
  RT_CHECK(all_columns.from >= 0 && all_columns.to <= product.n);
  if (rows.size() <= 0) return;  // nothing to pack for
  for_each_piece({0, product.k}, kBlockInner, [&](const Range& inner) {
    for_each_piece(all_columns, kBlockColumns,
                   [&](const Range& columns) { multiply_block(product, rows, inner, columns, block); });
  });
}

#else

bool has_panel_products() {
  return false;
}

void multiply_part(const PanelProduct&, const ProductPart&) {
  RT_CHECK(has_panel_products());
}

#endif

}  // namespace ranktide
