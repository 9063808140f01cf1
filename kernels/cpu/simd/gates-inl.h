// The formulas of gates for vectors of float and double, and dot products. This file is included once per
// instruction set, like Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_GATES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_GATES_INL_H
#undef GPUVAE_KERNELS_CPU_GATES_INL_H
#else
#define GPUVAE_KERNELS_CPU_GATES_INL_H
#endif

#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

#define GPUVAE_FORMULA HWY_INLINE
#include "kernels/math/gate_formulas.h"
#undef GPUVAE_FORMULA

// Returns the sum of a[i] b[i], in an order that depends only on n.
template <class T>
HWY_INLINE T dot(const T* a, const T* b, std::int64_t n) {
  const hn::ScalableTag<T> d;
  auto sum = hn::Zero(d);
  each_vector<T>(0, n, [&](auto access, std::int64_t i) HWY_ATTR {
    sum = hn::MulAdd(access.load(a + i), access.load(b + i), sum);
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
