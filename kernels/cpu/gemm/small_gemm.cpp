// Small matrix products. op(b) is first copied to the stack, so that its rows are contiguous and fill whole
// vectors.
#include "kernels/cpu/gemm/small_gemm.h"

#include <algorithm>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/bias_activation.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm/small_gemm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

// Code that all instruction sets share. foreach_target includes this file once for each of them.
#ifndef GPUVAE_KERNELS_CPU_SMALL_GEMM_ONCE
#define GPUVAE_KERNELS_CPU_SMALL_GEMM_ONCE
namespace gpuvae::kernels {
namespace {

// The largest number of multiplications, and of elements of op(b) with its rows filled up to whole vectors of
// any instruction set.
constexpr std::int64_t kMaxSmallWork = 4096, kMaxSmallFactor = 4096, kWidestVector = 16;

}  // namespace
}  // namespace gpuvae::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

constexpr std::int64_t kSmallLanes = HWY_LANES(float);

// Computes R elements of one vector of columns. `b` points to the vector in row 0 of op(b), whose rows are
// `width` apart, and `access` covers the columns that exist.
template <int R, class Access>
HWY_INLINE void small_tile(const GemmArgs& g, Access access, const float* b, std::int64_t width,
                           std::int64_t i, float* c) {
  const std::int64_t row_step = g.transpose_a ? 1 : g.k, step = g.transpose_a ? g.m : 1;
  const float* a = as<float>(g.a) + i * row_step;
  hn::Vec<hn::ScalableTag<float>> sum[R];
  for (int r = 0; r < R; ++r) sum[r] = hn::Zero(access.d);
  for (std::int64_t p = 0; p < g.k; ++p, a += step, b += width) {
    const auto row = hn::LoadU(access.d, b);
    for (int r = 0; r < R; ++r) sum[r] = hn::MulAdd(hn::Set(access.d, a[r * row_step]), row, sum[r]);
  }
  for (int r = 0; r < R; ++r) {
    if (g.accumulate) sum[r] = hn::Add(sum[r], access.load(c + r * g.n));
    access.store(sum[r], c + r * g.n);
  }
}

void SmallGemm(const GemmArgs& g) {
  HWY_ALIGN float b[kMaxSmallFactor];
  const std::int64_t width = (g.n + kSmallLanes - 1) / kSmallLanes * kSmallLanes;
  const std::int64_t b_row = g.transpose_b ? 1 : g.n, b_column = g.transpose_b ? g.k : 1;
  for (std::int64_t p = 0; p < g.k; ++p) {
    const float* from = as<float>(g.b) + p * b_row;
    for (std::int64_t j = 0; j < g.n; ++j) b[p * width + j] = from[j * b_column];
    for (std::int64_t j = g.n; j < width; ++j) b[p * width + j] = 0;
  }
  each_vector<float>(0, g.n, [&](auto access, std::int64_t j) HWY_ATTR {
    std::int64_t i = 0;
    for (; i + 4 <= g.m; i += 4) small_tile<4>(g, access, b + j, width, i, as<float>(g.c) + i * g.n + j);
    for (; i < g.m; ++i) small_tile<1>(g, access, b + j, width, i, as<float>(g.c) + i * g.n + j);
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(SmallGemm);

bool small_gemm(const GemmArgs& g) {
  const std::int64_t width = (g.n + kWidestVector - 1) / kWidestVector * kWidestVector;
  // The single sizes are compared first, so that the products cannot overflow.
  if (std::max({g.m, g.n, g.k}) > kMaxSmallWork || g.m * g.n * g.k > kMaxSmallWork ||
      g.k * width > kMaxSmallFactor)
    return false;
  HWY_DYNAMIC_DISPATCH(SmallGemm)(g);
  if (g.bias || g.activation != Activation::identity) add_bias_and_activate(g, {0, g.m, 0, g.n});
  return true;
}

}  // namespace gpuvae::kernels
#endif
