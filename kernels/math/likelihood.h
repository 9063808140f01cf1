// All likelihoods p(x | z) that have kernels: the list, then the formulas. To add a likelihood, add a line to
// the list and a struct.
//
// The file has two parts. A normal include defines the list. If GPUVAE_FORMULA is defined, an include inside
// a namespace defines the formulas, which call functions of that namespace. The same formulas thus serve
// scalars in CUDA kernels (kernels/math/scalar_likelihood.h) and vectors on the CPU
// (kernels/cpu/simd/likelihood-inl.h).
#ifndef GPUVAE_KERNELS_MATH_LIKELIHOOD_H
#define GPUVAE_KERNELS_MATH_LIKELIHOOD_H

#include <cstdint>

#include "gpuvae/device/likelihood.h"

// X(enumerator, struct, parameters per element). On a GPU, the kernels of the first list wait for memory;
// those of the second list, which compute far more per element, have one element per thread.
#define GPUVAE_MEMORY_BOUND_LIKELIHOODS(X)               \
  X(bernoulli, Bernoulli, 1)                             \
  X(bernoulli_of_probability, BernoulliOfProbability, 1) \
  X(continuous_bernoulli, ContinuousBernoulliOfLogit, 1) \
  X(gaussian, Gaussian, 2)                               \
  X(laplace, Laplace, 2)
#define GPUVAE_COSTLY_LIKELIHOODS(X)              \
  X(discretized_logistic, DiscretizedLogistic, 2) \
  X(poisson, Poisson, 1)                          \
  X(negative_binomial, NegativeBinomial, 2)       \
  X(zero_inflated_negative_binomial, ZeroInflatedNegativeBinomial, 3)
#define GPUVAE_LIKELIHOODS(X)        \
  GPUVAE_MEMORY_BOUND_LIKELIHOODS(X) \
  GPUVAE_COSTLY_LIKELIHOODS(X)

namespace gpuvae::kernels {

#define GPUVAE_ENUMERATOR(name, Formula, parameters) name,
enum class LikelihoodKind : std::uint8_t { GPUVAE_LIKELIHOODS(GPUVAE_ENUMERATOR) };
#undef GPUVAE_ENUMERATOR

// Returns the number of parameters per element. A row of parameters holds the first parameters of all
// columns, then the second ones.
GPUVAE_HD constexpr int parameters_of(LikelihoodKind kind) {
#define GPUVAE_CASE(name, Formula, parameters) \
  case LikelihoodKind::name:                   \
    return parameters;
  switch (kind) { GPUVAE_LIKELIHOODS(GPUVAE_CASE) }
#undef GPUVAE_CASE
  return 1;
}

// A kind of likelihood, and the settings of the kinds that have a location and a scale.
struct LikelihoodOptions {
  LikelihoodKind kind = LikelihoodKind::bernoulli;
  bool sigmoid_location = true;  // the location is the sigmoid of its parameter, not the parameter itself
  double low = -5, high = 5;     // bounds of the logarithm of the scale
};

}  // namespace gpuvae::kernels

#endif

#ifdef GPUVAE_FORMULA
// The formulas are in gpuvae/device/likelihood_formulas.h and discrete_formulas.h, which a file includes
// first.

template <class V>
GPUVAE_FORMULA LikelihoodSettings<V> settings_of(const kernels::LikelihoodOptions& o) {
  return {o.sigmoid_location, constant<V>(o.low), constant<V>(o.high)};
}

// Calls body(Formula()) with the formula of a kind.
template <class Body>
auto with_likelihood(kernels::LikelihoodKind kind, const Body& body) {
#define GPUVAE_CASE(name, Formula, parameters)         \
  case kernels::LikelihoodKind::name:                  \
    static_assert(Formula::kParameters == parameters); \
    return body(Formula());
  switch (kind) { GPUVAE_LIKELIHOODS(GPUVAE_CASE) }
#undef GPUVAE_CASE
  return body(Bernoulli());
}
#endif
