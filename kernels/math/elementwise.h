// All element-wise functions: the list, then the formulas. To add a function, add a line to the list and a
// struct; an activation also needs an enumerator of gpuvae::Activation and a function in explorer_decoder.js.
//
// The file has two parts. A normal include defines the list. If GPUVAE_FORMULA is defined, an include inside
// a namespace defines the formulas, which call functions of that namespace. The same formulas thus serve
// scalars on the host and in CUDA kernels (kernels/math/functions.h), and vectors on the CPU
// (kernels/cpu/simd/functions-inl.h).
#ifndef GPUVAE_KERNELS_MATH_ELEMENTWISE_H
#define GPUVAE_KERNELS_MATH_ELEMENTWISE_H

#include <cstdint>
#include <string_view>

#include "gpuvae/types.h"

// X(enumerator, struct). Activations come first, in the order of gpuvae::Activation.
#define GPUVAE_ACTIVATIONS(X) \
  X(identity, Identity)       \
  X(relu, Relu)               \
  X(leaky_relu, LeakyRelu)    \
  X(sigmoid, Sigmoid)         \
  X(tanh, Tanh)               \
  X(softplus, Softplus)       \
  X(gelu, Gelu)               \
  X(silu, Silu)

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
  X(digamma, Digamma)

namespace gpuvae::kernels {

#define GPUVAE_ENUMERATOR(name, Function) name,
#define GPUVAE_NAME(name, Function) #name,
#define GPUVAE_SAME_VALUE(name, Function) \
  static_assert(static_cast<int>(Activation::name) == static_cast<int>(Unary::name));

enum class Unary : std::uint8_t { GPUVAE_ELEMENTWISE(GPUVAE_ENUMERATOR) };

constexpr std::string_view name(Unary function) {  // null-terminated
  constexpr std::string_view kNames[] = {GPUVAE_ELEMENTWISE(GPUVAE_NAME)};
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
// A function has value(x) and its derivative slope(v), where v is the output value(x) if slope_from_output is
// true, and the input x otherwise. Functions with parameters take them as further arguments: value(x, a, b)
// and slope(v, a, b). `cheap` functions are memory-bound on a CPU, so threads pay off only for larger arrays.

struct Identity {
  static constexpr bool slope_from_output = true, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) { return x; }
  GPUVAE_FORMULA static auto slope(auto x) { return like(x, 1); }
};

struct Relu {
  static constexpr bool slope_from_output = true, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) {
    return zero_if(x <= like(x, 0), x);  // NaN stays NaN
  }
  GPUVAE_FORMULA static auto slope(auto y) { return select(y > like(y, 0), like(y, 1), like(y, 0)); }
};

struct LeakyRelu {
  static constexpr bool slope_from_output = true, cheap = true;
  GPUVAE_FORMULA static auto value(auto x) { return select(x > like(x, 0), x, like(x, kLeakySlope) * x); }
  GPUVAE_FORMULA static auto slope(auto y) {
    return select(y > like(y, 0), like(y, 1), like(y, kLeakySlope));
  }
};

struct Sigmoid {
  static constexpr bool slope_from_output = true, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return sigmoid(x); }
  GPUVAE_FORMULA static auto slope(auto y) { return y * (like(y, 1) - y); }
};

struct Tanh {
  static constexpr bool slope_from_output = true, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return tanh(x); }
  GPUVAE_FORMULA static auto slope(auto y) { return neg_mul_add(y, y, like(y, 1)); }
};

struct Softplus {
  static constexpr bool slope_from_output = true, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return softplus(x); }
  GPUVAE_FORMULA static auto slope(auto y) { return neg(expm1(neg(y))); }
};

// x Phi(x): Hendrycks and Gimpel, "Gaussian error linear units", 2016; exact, with kernels/math/normal.h.
struct Gelu {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return x * normal_cdf(x); }
  GPUVAE_FORMULA static auto slope(auto x) { return mul_add(x, normal_density(x), normal_cdf(x)); }
};

// x sigmoid(x): Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation in
// reinforcement learning", 2017. The slope is sigmoid(x) + x sigmoid(x) sigmoid(-x).
struct Silu {
  static constexpr bool slope_from_output = false, cheap = false;
  GPUVAE_FORMULA static auto value(auto x) { return x * sigmoid(x); }
  GPUVAE_FORMULA static auto slope(auto x) {
    const auto e = exp_of_moderate(neg(fabs(x))), whole = like(x, 1) + e;
    return mul_add(x, e / (whole * whole), sigmoid_from(x, e));
  }
};

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

// See kernels/math/continuous_bernoulli.h.
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

#define GPUVAE_CASE_OF_ACTIVATION(name, Function) \
  case Activation::name:                          \
    return body(Function());
template <class Body>
GPUVAE_FORMULA constexpr auto with_function(Activation activation, const Body& body) {
  switch (activation) { GPUVAE_ACTIVATIONS(GPUVAE_CASE_OF_ACTIVATION) }
  return body(Identity());
}
#undef GPUVAE_CASE_OF_ACTIVATION
#endif
