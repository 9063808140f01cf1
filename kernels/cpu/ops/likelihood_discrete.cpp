// The kernels of the likelihoods of whole numbers.
#include "kernels/cpu/ops/likelihood.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/likelihood_discrete.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/likelihood-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

#define GPUVAE_CASE(name, Formula, parameters)         \
  case LikelihoodKind::name:                           \
    static_assert(Formula::kParameters == parameters); \
    return likelihood_kernels<Formula, T>();
template <class T>
LikelihoodKernels discrete_likelihood_of(LikelihoodKind kind) {
  switch (kind) {
    GPUVAE_COSTLY_LIKELIHOODS(GPUVAE_CASE)
    default:
      return {};
  }
}
#undef GPUVAE_CASE

LikelihoodKernels DiscreteLikelihood(LikelihoodKind kind, DType dtype) {
  return dtype == DType::f32 ? discrete_likelihood_of<float>(kind) : discrete_likelihood_of<double>(kind);
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(DiscreteLikelihood);
LikelihoodKernels discrete_likelihood(LikelihoodKind kind, DType dtype) {
  return HWY_DYNAMIC_DISPATCH(DiscreteLikelihood)(kind, dtype);
}
}  // namespace gpuvae::kernels
#endif
