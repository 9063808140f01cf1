// The kernels of the likelihoods of real numbers.
#include "kernels/cpu/ops/likelihood.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/likelihood_real.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/likelihood-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

#define GPUVAE_CASE(name, Formula, parameters)         \
  case LikelihoodKind::name:                           \
    static_assert(Formula::kParameters == parameters); \
    return likelihood_kernels<Formula, T>();
template <class T>
LikelihoodKernels real_likelihood_of(LikelihoodKind kind) {
  switch (kind) {
    GPUVAE_MEMORY_BOUND_LIKELIHOODS(GPUVAE_CASE)
    default:
      return {};
  }
}
#undef GPUVAE_CASE

LikelihoodKernels RealLikelihood(LikelihoodKind kind, DType dtype) {
  return dtype == DType::f32 ? real_likelihood_of<float>(kind) : real_likelihood_of<double>(kind);
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(RealLikelihood);
LikelihoodKernels real_likelihood(LikelihoodKind kind, DType dtype) {
  return HWY_DYNAMIC_DISPATCH(RealLikelihood)(kind, dtype);
}
}  // namespace gpuvae::kernels
#endif
