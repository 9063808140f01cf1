// Matrix products of which one dimension is short, in one pass over the long dimensions. If the elements of a
// vector are not contiguous in a factor, that factor is small and is first copied, transposed, to the stack.
#include "kernels/cpu/gemm/skinny_gemm.h"

#include <algorithm>
#include <array>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/bias_activation.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/math/functions.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm/skinny_gemm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/functions-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

// Code that all instruction sets share. foreach_target includes this file once for each of them.
#ifndef GPUVAE_KERNELS_CPU_SKINNY_GEMM_ONCE
#define GPUVAE_KERNELS_CPU_SKINNY_GEMM_ONCE
namespace gpuvae::kernels {
namespace {

// The largest number of elements of a matrix that is transposed on the stack (32 KiB).
constexpr std::int64_t kMaxTransposed = 8192;

// c(i, j) = finish(sum over p < k of x(i, p) * y(p, j)) for i < rows and j < columns. A stride is the
// distance in elements from one i, p or j to the next.
struct Skinny {
  std::int64_t rows, columns, k;
  const float *x, *y;
  float* c;
  std::int64_t x_i, x_p, y_p, y_j, c_i, c_j;
  const float* bias;  // null, or c(i, j) receives bias[i * bias_i + j * bias_j]
  std::int64_t bias_i, bias_j;
  bool accumulate, relu;

  // Rewrites the product as c' = y' x'.
  void transpose() {
    std::swap(rows, columns);
    std::swap(x, y);
    std::swap(c_i, c_j);
    std::swap(bias_i, bias_j);
    std::swap(x_i, y_j);
    std::swap(x_p, y_p);
  }
  // Copies y to `buffer` with the given strides, one of which is 1.
  void copy_y(float* buffer, std::int64_t p_stride, std::int64_t j_stride) {
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t j = 0; j < columns; ++j) buffer[p * p_stride + j * j_stride] = y[p * y_p + j * y_j];
    y = buffer;
    y_p = p_stride;
    y_j = j_stride;
  }
};

Skinny skinny(const GemmArgs& g) {
  Skinny s{};
  s.rows = g.m;
  s.columns = g.n;
  s.k = g.k;
  s.x = as<float>(g.a);
  s.x_i = g.transpose_a ? 1 : g.k;
  s.x_p = g.transpose_a ? g.m : 1;
  s.y = as<float>(g.b);
  s.y_p = g.transpose_b ? 1 : g.n;
  s.y_j = g.transpose_b ? g.k : 1;
  s.c = as<float>(g.c);
  s.c_i = g.n;
  s.c_j = 1;
  s.bias = as<float>(g.bias);
  s.bias_j = 1;
  s.accumulate = g.accumulate;
  s.relu = g.activation == Activation::relu;
  return s;
}

}  // namespace
}  // namespace gpuvae::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr std::int64_t kLanes = HWY_LANES(float);

// Finishes element (i, j), whose sum is given: adds the bias and the previous value, then applies ReLU.
HWY_INLINE void finish(const Skinny& g, std::int64_t i, std::int64_t j, float sum) {
  float& c = g.c[i * g.c_i + j * g.c_j];
  if (g.bias) sum += g.bias[i * g.bias_i + j * g.bias_j];
  if (g.accumulate) sum += c;
  c = g.relu ? math::Relu::value(sum) : sum;
}
// Finishes a tile of c whose sums are in memory. Its first `skip` columns are finished already.
HWY_NOINLINE void finish_tile(const Skinny& g, std::int64_t i, std::int64_t j, std::int64_t rows,
                              std::int64_t width, std::int64_t skip, const float* sums) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t w = skip; w < width; ++w) finish(g, i + r, j + w, sums[r * width + w]);
}

// Computes R rows and W vectors of columns of c as the sum of the outer products of x's columns and y's rows.
// Each loop over the sums does only one thing, because otherwise the compiler does not unroll it and does not
// keep the sums in registers.
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
  if (skip > 0 || g.c_j != 1 || (g.bias && g.bias_j != 1)) {
    HWY_ALIGN float sums[R * W * kLanes];
    for (int r = 0; r < R; ++r)
      for (int w = 0; w < W; ++w) hn::Store(sum[r][w], d, sums + (r * W + w) * kLanes);
    return finish_tile(g, i, j, R, W * kLanes, skip, sums);
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
      for (int w = 0; w < W; ++w) sum[r][w] = Relu::value(sum[r][w]);
  }
  for (int r = 0; r < R; ++r)
    for (int w = 0; w < W; ++w) hn::StoreU(sum[r][w], d, c + r * c_i + w * kLanes);
}
// Computes R rows of c, first in wide tiles (about eight accumulators keep both FMA units busy), then in
// single vectors. The last vector overlaps columns that are finished already.
template <int R>
void outer_rows(const Skinny& g, std::int64_t i) {
  constexpr int kWide = R <= 2 ? 4 : 2;
  std::int64_t j = 0;
  for (; j + kWide * kLanes <= g.columns; j += kWide * kLanes) outer_tile<R, kWide>(g, i, j);
  for (; j + kLanes <= g.columns; j += kLanes) outer_tile<R, 1>(g, i, j);
  if (j < g.columns) outer_tile<R, 1>(g, i, g.columns - kLanes, j - (g.columns - kLanes));
}
// Requires y to be contiguous in j and at least one full vector of columns.
void sum_outer_products(const Skinny& g) {
  std::int64_t i = 0;
  for (; i + 4 <= g.rows; i += 4) outer_rows<4>(g, i);
  if (g.rows - i == 3) outer_rows<3>(g, i);
  if (g.rows - i == 2) outer_rows<2>(g, i);
  if (g.rows - i == 1) outer_rows<1>(g, i);
}

// Loads the last vector of a dot product whose length is not a multiple of the vector's. The vector ends
// where the dot product ends, and elements that were added before are read as zero.
struct Rest {
  hn::Mask<D> rest;
  HWY_INLINE V load(const float* from) const { return hn::IfThenElseZero(rest, hn::LoadU(D(), from)); }
};
// Computes R rows and C columns of c as dot products.
template <int R, int C>
HWY_INLINE void dot_tile(const Skinny& g, std::int64_t i, std::int64_t j) {
  const D d;
  V sum[R][C];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c] = hn::Zero(d);
  const float *x = g.x + i * g.x_i, *y = g.y + j * g.y_j;
  const auto add = [&](auto access, std::int64_t p) HWY_ATTR {
    V column[C];
    for (int c = 0; c < C; ++c) column[c] = access.load(y + c * g.y_j + p);
    for (int r = 0; r < R; ++r) {
      const V row = access.load(x + r * g.x_i + p);
      for (int c = 0; c < C; ++c) sum[r][c] = hn::MulAdd(row, column[c], sum[r][c]);
    }
  };
  std::int64_t p = 0;
  for (; p + kLanes <= g.k; p += kLanes) add(Whole<float>{}, p);
  if (p < g.k) add(Rest{hn::Not(hn::FirstN(d, static_cast<std::size_t>(p + kLanes - g.k)))}, g.k - kLanes);
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) finish(g, i + r, j + c, hn::GetLane(hn::SumOfLanes(d, sum[r][c])));
}
template <int R>
void dot_rows(const Skinny& g, std::int64_t i) {
  std::int64_t j = 0;
  for (; j + 2 <= g.columns; j += 2) dot_tile<R, 2>(g, i, j);
  if (j < g.columns) dot_tile<R, 1>(g, i, j);
}
// Requires x and y to be contiguous in p and k to be at least one full vector.
void dot_products(const Skinny& g) {
  std::int64_t i = 0;
  for (; i + 4 <= g.rows; i += 4) dot_rows<4>(g, i);
  for (; i < g.rows; ++i) dot_rows<1>(g, i);
}

void SkinnyGemm(Skinny& g, bool dots) {
  std::array<float, kMaxTransposed> buffer;
  if (dots && g.y_p != 1) g.copy_y(buffer.data(), 1, g.k);
  if (!dots && g.y_j != 1) g.copy_y(buffer.data(), g.columns, 1);
  dots ? dot_products(g) : sum_outer_products(g);
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
namespace {
HWY_EXPORT(SkinnyGemm);

enum class Form { none, dots, dots_transposed, outer, outer_transposed };
// Chooses the form of a product. A form is chosen where it was measured to be faster than oneDNN, on one and
// two threads with AVX2.
Form form_of(const GemmArgs& g) {
  constexpr std::int64_t kShort = 10, kFewDots = 8, kLongSum = 64, kLeastColumns = 16, kMaxWork = 262'144;
  constexpr std::int64_t kMaxElements = 131'072;  // larger matrices exceed the cache, and threads pay off
  if (std::min({g.m, g.n, g.k}) > kShort || g.m * g.n * g.k > kMaxWork) return Form::none;
  if (std::max({g.m * g.n, g.m * g.k, g.k * g.n}) > kMaxElements) return Form::none;
  // Transposing b costs about as much as multiplying it by two rows of a.
  const bool transposable = g.k * g.n <= kMaxTransposed;
  if (!g.transpose_a && g.k >= kLongSum) {
    if (g.n <= kFewDots && g.m >= g.n && (g.transpose_b || transposable)) return Form::dots;
    if (g.m <= kFewDots && g.transpose_b) return Form::dots_transposed;
  }
  if (g.n >= kLeastColumns) {
    const bool outer = !g.transpose_b || (transposable && g.m >= 2 * g.k);
    return outer ? Form::outer : Form::none;
  }
  return g.transpose_a && g.m >= kLeastColumns && g.n <= kShort ? Form::outer_transposed : Form::none;
}
}  // namespace

bool skinny_gemm(const GemmArgs& g) {
  const Form form = form_of(g);
  if (form == Form::none) return false;
  Skinny product = skinny(g);
  // Other activations are applied in a separate pass, which also adds the bias.
  const bool finished = g.activation == Activation::identity || g.activation == Activation::relu;
  if (!finished) product.bias = nullptr;
  if (form == Form::dots_transposed || form == Form::outer_transposed) product.transpose();
  HWY_DYNAMIC_DISPATCH(SkinnyGemm)(product, form == Form::dots || form == Form::dots_transposed);
  if (!finished) add_bias_and_activate(g);
  return true;
}
}  // namespace gpuvae::kernels
#endif
