// Matrix products with a short side in one pass over the long ones. Where vectors would run across the rows of a
// matrix, that matrix is short enough to be transposed on the stack first.
#include "kernels/cpu/skinny_gemm.h"

#include <algorithm>
#include <array>

#include "kernels/cpu/bias_activation.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/skinny_gemm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

// What every instruction set shares; foreach_target includes this file once for each.
#ifndef GPUVAE_KERNELS_CPU_SKINNY_GEMM_ONCE
#define GPUVAE_KERNELS_CPU_SKINNY_GEMM_ONCE
namespace gpuvae::kernels {
namespace {

// The most elements of a matrix transposed on the stack: 32 KiB.
constexpr std::int64_t kMostTransposed = 8192;

// c(i, j) = finish(sum over p below k of x(i, p) y(p, j)) for i below `rows` and j below `columns`. Strides lead
// from one i, p or j to the next.
struct Skinny {
  std::int64_t rows, columns, k;
  const float *x, *y;
  float* c;
  std::int64_t x_i, x_p, y_p, y_j, c_i, c_j;
  const float* bias;  // or null; element i bias_i + j bias_j
  std::int64_t bias_i, bias_j;
  bool accumulate, relu;

  explicit Skinny(const GemmArgs& g)
      : rows(g.m), columns(g.n), k(g.k), x(as<float>(g.a)), y(as<float>(g.b)), c(as<float>(g.c)),
        x_i(g.transpose_a ? 1 : g.k), x_p(g.transpose_a ? g.m : 1), y_p(g.transpose_b ? 1 : g.n),
        y_j(g.transpose_b ? g.k : 1), c_i(g.n), c_j(1), bias(as<float>(g.bias)), bias_i(0), bias_j(1),
        accumulate(g.accumulate), relu(g.activation == Activation::relu) {}

  // The same product as c' = y' x'.
  void transpose() {
    std::swap(rows, columns), std::swap(x, y), std::swap(c_i, c_j), std::swap(bias_i, bias_j);
    std::swap(x_i, y_j), std::swap(x_p, y_p);
  }
  // Lays y out anew in `buffer`, by columns (contiguous in p) or by rows (contiguous in j).
  void copy_y(float* buffer, bool by_columns) {
    const std::int64_t p_stride = by_columns ? 1 : columns, j_stride = by_columns ? k : 1;
    const std::int64_t outer = by_columns ? columns : k, inner = by_columns ? k : columns;
    const std::int64_t from_outer = by_columns ? y_j : y_p, from_inner = by_columns ? y_p : y_j;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) buffer[o * inner + i] = y[o * from_outer + i * from_inner];
    y = buffer, y_p = p_stride, y_j = j_stride;
  }
};

}  // namespace
}  // namespace gpuvae::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr std::int64_t kLanes = HWY_LANES(float);

// Ends element (i, j), whose sum is known.
HWY_INLINE void finish(const Skinny& g, std::int64_t i, std::int64_t j, float sum) {
  float& c = g.c[i * g.c_i + j * g.c_j];
  if (g.bias) sum += g.bias[i * g.bias_i + j * g.bias_j];
  if (g.accumulate) sum += c;
  c = g.relu ? math::activate(Activation::relu, sum) : sum;
}
// Ends a tile of c whose sums are in `sums`, but for its first `skip` columns, which are done.
template <int R, int Width>
HWY_NOINLINE void finish_tile(const Skinny& g, std::int64_t i, std::int64_t j, std::int64_t skip,
                              const float* sums) {
  for (std::int64_t r = 0; r < R; ++r)
    for (std::int64_t w = skip; w < Width; ++w) finish(g, i + r, j + w, sums[r * Width + w]);
}

// R rows of c and W vectors of columns, as the sum of the outer products of x's columns and y's rows. The loops
// over sums do one thing each: the compiler unrolls them only then, and keeps the sums in registers.
template <int R, int W>
HWY_INLINE void outer_tile(const Skinny& g, std::int64_t i, std::int64_t j, std::int64_t skip = 0) {
  const D d;
  V sum[R][W];
  for (int r = 0; r < R; ++r)
    for (int w = 0; w < W; ++w) sum[r][w] = hn::Zero(d);
  const float *x = g.x + i * g.x_i, *y = g.y + j;
  const std::int64_t x_i = g.x_i, x_p = g.x_p, y_p = g.y_p, c_i = g.c_i;
  for (std::int64_t p = 0; p < g.k; ++p, x += x_p, y += y_p) {
    V row[W];
    for (int w = 0; w < W; ++w) row[w] = hn::LoadU(d, y + w * kLanes);
    for (int r = 0; r < R; ++r) {
      const V element = hn::Set(d, x[r * x_i]);
      for (int w = 0; w < W; ++w) sum[r][w] = hn::MulAdd(element, row[w], sum[r][w]);
    }
  }
  if (skip > 0 || g.c_j != 1) {
    HWY_ALIGN float sums[R * W * kLanes];
    for (int r = 0; r < R; ++r)
      for (int w = 0; w < W; ++w) hn::Store(sum[r][w], d, sums + (r * W + w) * kLanes);
    return finish_tile<R, W * kLanes>(g, i, j, skip, sums);
  }
  float* c = g.c + i * c_i + j;
  if (const float* bias = g.bias) {
    for (int r = 0; r < R; ++r)
      for (int w = 0; w < W; ++w) sum[r][w] = hn::Add(sum[r][w], hn::LoadU(d, bias + j + w * kLanes));
  }
  if (g.accumulate) {
    for (int r = 0; r < R; ++r)
      for (int w = 0; w < W; ++w) sum[r][w] = hn::Add(sum[r][w], hn::LoadU(d, c + r * c_i + w * kLanes));
  }
  if (g.relu) {
    for (int r = 0; r < R; ++r)
      for (int w = 0; w < W; ++w) sum[r][w] = activate<Activation::relu>(sum[r][w]);
  }
  for (int r = 0; r < R; ++r)
    for (int w = 0; w < W; ++w) hn::StoreU(sum[r][w], d, c + r * c_i + w * kLanes);
}
// R rows of c: wide tiles while they fit (eight sums at once or so keep both multipliers busy), then single
// vectors, the last of which reaches back over columns that are done.
template <int R>
void outer_rows(const Skinny& g, std::int64_t i) {
  constexpr int kWide = R <= 2 ? 4 : 2;
  std::int64_t j = 0;
  for (; j + kWide * kLanes <= g.columns; j += kWide * kLanes) outer_tile<R, kWide>(g, i, j);
  for (; j + kLanes <= g.columns; j += kLanes) outer_tile<R, 1>(g, i, j);
  if (j < g.columns) outer_tile<R, 1>(g, i, g.columns - kLanes, j - (g.columns - kLanes));
}
// Needs y contiguous in j, and columns enough for a vector.
void sum_outer_products(const Skinny& g) {
  std::int64_t i = 0;
  for (; i + 4 <= g.rows; i += 4) outer_rows<4>(g, i);
  if (g.rows - i == 3) outer_rows<3>(g, i);
  if (g.rows - i == 2) outer_rows<2>(g, i);
  if (g.rows - i == 1) outer_rows<1>(g, i);
}

// R rows and C columns of c as dot products.
template <int R, int C>
HWY_INLINE void dot_tile(const Skinny& g, std::int64_t i, std::int64_t j) {
  const D d;
  V sum[R][C];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c] = hn::Zero(d);
  const float *x = g.x + i * g.x_i, *y = g.y + j * g.y_j;
  each_vector<float>(0, g.k, [&](auto access, std::int64_t p) HWY_ATTR {
    V column[C];
    for (int c = 0; c < C; ++c) column[c] = access.load(y + c * g.y_j + p);
    for (int r = 0; r < R; ++r) {
      const V row = access.load(x + r * g.x_i + p);
      for (int c = 0; c < C; ++c) sum[r][c] = hn::MulAdd(row, column[c], sum[r][c]);
    }
  });
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) finish(g, i + r, j + c, hn::GetLane(hn::SumOfLanes(d, sum[r][c])));
}
template <int R>
void dot_rows(const Skinny& g, std::int64_t i) {
  std::int64_t j = 0;
  for (; j + 2 <= g.columns; j += 2) dot_tile<R, 2>(g, i, j);
  if (j < g.columns) dot_tile<R, 1>(g, i, j);
}
// Needs x and y contiguous in p.
void dot_products(const Skinny& g) {
  std::int64_t i = 0;
  for (; i + 4 <= g.rows; i += 4) dot_rows<4>(g, i);
  for (; i < g.rows; ++i) dot_rows<1>(g, i);
}

void SkinnyGemm(Skinny& g, bool dots) {
  std::array<float, kMostTransposed> buffer;
  if (dots && g.y_p != 1) g.copy_y(buffer.data(), true);
  if (!dots && g.y_j != 1) g.copy_y(buffer.data(), false);
  dots ? dot_products(g) : sum_outer_products(g);
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
namespace {
HWY_EXPORT(SkinnyGemm);
}

bool skinny_gemm(const GemmArgs& g) {
  // FORM CHOICE (to be measured)
  extern int skinny_force;
  if (skinny_force < 0) return false;
  Skinny s(g);
  const bool fused = g.activation == Activation::identity || g.activation == Activation::relu;
  if (!fused) s.bias = nullptr;
  bool dots = false;
  const int force = skinny_force;
  if (force == 1) dots = true;                 // dots
  if (force == 2) s.transpose();               // outer, swapped
  if (force == 3) { dots = true; s.transpose(); }
  if (dots && (s.x_p != 1 || (s.y_p != 1 && s.k * s.columns > kMostTransposed))) return false;
  if (!dots && (s.columns < 16 || (s.y_j != 1 && s.k * s.columns > kMostTransposed))) return false;
  HWY_DYNAMIC_DISPATCH(SkinnyGemm)(s, dots);
  if (!fused) add_bias_and_activate(g);
  return true;
}
}  // namespace gpuvae::kernels
#endif
