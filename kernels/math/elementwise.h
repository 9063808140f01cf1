// All element-wise functions: the list, then the formulas. To add a function, add a line to the list and a
// struct. The activations are in gpuvae/device/activation_formulas.h.
//
// The file has two parts. A normal include defines the list. If GPUVAE_FORMULA is defined, an include inside
// a namespace defines the formulas, which call functions of that namespace. The same formulas thus serve
// scalars on the host and in CUDA kernels (kernels/math/functions.h), and vectors on the CPU
// (kernels/cpu/simd/functions-inl.h).
#ifndef GPUVAE_KERNELS_MATH_ELEMENTWISE_H
#define GPUVAE_KERNELS_MATH_ELEMENTWISE_H

#include <cstdint>

#include "gpuvae/device/activation_formulas.h"
#include "gpuvae/enums.h"

// X(enumerator, struct). Activations come first, in the order of gpuvae::Activation.
#define GPUVAE_ELEMENTWISE(X)                                              \
  GPUVAE_ACTIVATIONS(X)                                                    \
  X(exp, Exp)                                                              \
  X(log, Log)                                                              \
  X(sqrt, Sqrt)                                                            \
  X(square, Square)                                                        \
  X(reciprocal, Reciprocal)                                                \
  X(affine, Affine)                                                        \
  X(clamp, Clamp)                                                          \
  X(continuous_bernoulli_log_normalizer, ContinuousBernoulliLogNormalizer) \
  X(continuous_bernoulli_mean, ContinuousBernoulliMean)                    \
  X(abs, Abs)                                                              \
  X(lgamma, Lgamma)                                                        \
  X(digamma, Digamma)                                                      \
  X(log1p, Log1p)                                                          \
  X(is_observed, IsObserved)                                               \
  X(fill_missing, FillMissing)

namespace gpuvae::kernels {

#define GPUVAE_ENUMERATOR(name, Function) name,
#define GPUVAE_NAME(name, Function) #name,
#define GPUVAE_SAME_VALUE(name, Function) \
  static_assert(static_cast<int>(Activation::name) == static_cast<int>(Unary::name));

enum class Unary : std::uint8_t { GPUVAE_ELEMENTWISE(GPUVAE_ENUMERATOR) };

constexpr const char* name(Unary function) {
  constexpr const char* kNames[] = {GPUVAE_ELEMENTWISE(GPUVAE_NAME)};
  return kNames[static_cast<int>(function)];
}

GPUVAE_ACTIVATIONS(GPUVAE_SAME_VALUE)
constexpr Unary unary_of(Activation activation) { return static_cast<Unary>(activation); }

#undef GPUVAE_ENUMERATOR
#undef GPUVAE_NAME
#undef GPUVAE_SAME_VALUE

}  // namespace gpuvae::kernels
#endif

#ifdef GPUVAE_FORMULA
// See gpuvae/device/activation_formulas.h for the members of a function. A file that includes these formulas
// includes those of the activations first.

struct Exp {
  static constexpr bool slope_from_output = true, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return exp(x); }
  GPUVAE_FORMULA static auto slope(auto y) { return y; }
};

struct Log {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return log(x); }
  GPUVAE_FORMULA static auto slope(auto x) { return like(x, 1) / x; }
};

struct Sqrt {
  static constexpr bool slope_from_output = true, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return sqrt(x); }
  GPUVAE_FORMULA static auto slope(auto y) { return like(y, 0.5) / y; }
};

struct Square {
  static constexpr bool slope_from_output = false, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) { return x * x; }
  GPUVAE_FORMULA static auto slope(auto x) { return x + x; }
};

struct Reciprocal {
  static constexpr bool slope_from_output = true, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return like(x, 1) / x; }
  GPUVAE_FORMULA static auto slope(auto y) { return neg(y * y); }
};

// a x + b.
struct Affine {
  static constexpr bool slope_from_output = true, cheap = true;
  GPUVAE_FORMULA static auto value(auto x, auto a, auto b) { return mul_add(a, x, b); }
  GPUVAE_FORMULA static auto slope(auto, auto a, auto) { return a; }
};

// x limited to [a, b]. The slope is 0 outside, and where x is NaN.
struct Clamp {
  static constexpr bool slope_from_output = false, cheap = true;
  GPUVAE_FORMULA static auto value(auto x, auto a, auto b) { return clamp(x, a, b); }
  GPUVAE_FORMULA static auto slope(auto x, auto a, auto b) {
    return select(both(x >= a, x <= b), like(x, 1), like(x, 0));
  }
};

// See gpuvae/device/continuous_bernoulli.h.
struct ContinuousBernoulliLogNormalizer {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto logit) { return continuous_bernoulli_log_normalizer(logit); }
  GPUVAE_FORMULA static auto slope(auto logit) { return continuous_bernoulli_mean(logit); }
};

struct ContinuousBernoulliMean {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto logit) { return continuous_bernoulli_mean(logit); }
  GPUVAE_FORMULA static auto slope(auto logit) { return continuous_bernoulli_variance(logit); }
};

struct Abs {
  static constexpr bool slope_from_output = false, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) { return fabs(x); }
  GPUVAE_FORMULA static auto slope(auto x) {
    const auto zero = like(x, 0);
    return select(x > zero, like(x, 1), select(x < zero, like(x, -1), zero));
  }
};

// See kernels/math/gamma.h.
struct Lgamma {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return lgamma(x); }
  GPUVAE_FORMULA static auto slope(auto x) { return digamma(x); }
};

struct Digamma {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return digamma(x); }
  GPUVAE_FORMULA static auto slope(auto x) { return trigamma(x); }
};

struct Log1p {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return log1p(x); }
  GPUVAE_FORMULA static auto slope(auto x) { return like(x, 1) / (like(x, 1) + x); }
};

// Whether x is a number, and x with 0 in the place of NaN.
struct IsObserved {
  static constexpr bool slope_from_output = false, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) { return select(is_nan(x), like(x, 0), like(x, 1)); }
  GPUVAE_FORMULA static auto slope(auto x) { return like(x, 0); }
};
struct FillMissing {
  static constexpr bool slope_from_output = false, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) { return zero_if(is_nan(x), x); }
  GPUVAE_FORMULA static auto slope(auto x) { return IsObserved::value(x); }
};

template <class Function, class V>
GPUVAE_FORMULA V value_of(V x, V a, V b) {
  if constexpr (requires { Function::value(x, a, b); }) {
    return Function::value(x, a, b);
  } else {
    return Function::value(x);
  }
}
template <class Function, class V>
GPUVAE_FORMULA V slope_of(V v, V a, V b) {
  if constexpr (requires { Function::slope(v, a, b); }) {
    return Function::slope(v, a, b);
  } else {
    return Function::slope(v);
  }
}

// Calls body with an object of the function's struct, such as Relu(), and returns the result of body.
#define GPUVAE_CASE_OF_UNARY(name, Function) \
  case kernels::Unary::name:                 \
    return body(Function());
template <class Body>
GPUVAE_FORMULA constexpr auto with_function(kernels::Unary function, const Body& body) {
  switch (function) { GPUVAE_ELEMENTWISE(GPUVAE_CASE_OF_UNARY) }
  return body(Identity());
}
#undef GPUVAE_CASE_OF_UNARY

#endif
