// The element-wise functions for vectors of float and double. This file is included once per instruction set,
// like Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_FUNCTIONS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_FUNCTIONS_INL_H
#undef GPUVAE_KERNELS_CPU_FUNCTIONS_INL_H
#else
#define GPUVAE_KERNELS_CPU_FUNCTIONS_INL_H
#endif

#include "kernels/cpu/simd/continuous_bernoulli-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"
#include "kernels/math/elementwise.h"
#include "kernels/math/gamma.h"
#include "kernels/math/normal.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <class V>
HWY_INLINE V continuous_bernoulli_log_normalizer(V logit) {
  return ContinuousBernoulli<V>(logit).log_normalizer();
}
template <class V>
HWY_INLINE V continuous_bernoulli_mean(V logit) {
  return ContinuousBernoulli<V>(logit).mean();
}
template <class V>
HWY_INLINE V continuous_bernoulli_variance(V logit) {
  return ContinuousBernoulli<V>(logit).variance();
}

#define GPUVAE_VECTOR_FORMULA HWY_INLINE
#include "kernels/math/gamma.h"
#include "kernels/math/normal.h"
#undef GPUVAE_VECTOR_FORMULA

#define GPUVAE_FORMULA HWY_INLINE
#include "gpuvae/device/activation_formulas.h"

#include "kernels/math/elementwise.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
