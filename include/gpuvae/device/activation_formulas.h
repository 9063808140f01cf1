// The formulas of the activations: the list, then the structs. gpuvae/device/activation.h has the functions
// to call.
//
// The file has two parts. A normal include defines the list. If GPUVAE_FORMULA is defined, an include inside
// a namespace defines the formulas, which call functions of that namespace. The same formulas thus serve
// scalars (gpuvae/device/activation.h) and the library's vectors on the CPU.
#ifndef GPUVAE_DEVICE_ACTIVATION_FORMULAS_H
#define GPUVAE_DEVICE_ACTIVATION_FORMULAS_H

#include "gpuvae/enums.h"

// X(enumerator, struct), in the order of gpuvae::Activation.
#define GPUVAE_ACTIVATIONS(X) \
  X(identity, Identity)       \
  X(relu, Relu)               \
  X(leaky_relu, LeakyRelu)    \
  X(sigmoid, Sigmoid)         \
  X(tanh, Tanh)               \
  X(softplus, Softplus)       \
  X(gelu, Gelu)               \
  X(silu, Silu)
#endif

#ifdef GPUVAE_FORMULA
// A function has value(x) and its derivative slope(v), where v is the output value(x) if slope_from_output is
// true, and the input x otherwise. Functions with parameters take them as further arguments: value(x, a, b)
// and slope(v, a, b). `cheap` functions are memory-bound on a CPU, so threads pay off only for larger arrays.

// y = x.
struct Identity {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = true;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = true;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return x; }
  // Returns dy / dx, which is 1.
  GPUVAE_FORMULA static auto slope(auto x) { return like(x, 1); }
};

// y = max(x, 0).
struct Relu {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = true;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = true;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) {
    return zero_if(x <= like(x, 0), x);  // NaN stays NaN
  }
  // Returns dy / dx for the output y.
  GPUVAE_FORMULA static auto slope(auto y) { return select(y > like(y, 0), like(y, 1), like(y, 0)); }
};

// y = x for x > 0, else kLeakySlope x.
struct LeakyRelu {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = true;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = true;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return select(x > like(x, 0), x, like(x, kLeakySlope) * x); }
  // Returns dy / dx for the output y.
  GPUVAE_FORMULA static auto slope(auto y) {
    return select(y > like(y, 0), like(y, 1), like(y, kLeakySlope));
  }
};

// y = 1 / (1 + exp(-x)).
struct Sigmoid {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = true;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = false;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return sigmoid(x); }
  // Returns dy / dx for the output y.
  GPUVAE_FORMULA static auto slope(auto y) { return y * (like(y, 1) - y); }
};

// y = tanh x.
struct Tanh {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = true;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = false;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return tanh(x); }
  // Returns dy / dx for the output y.
  GPUVAE_FORMULA static auto slope(auto y) { return neg_mul_add(y, y, like(y, 1)); }
};

// y = log(1 + exp(x)).
struct Softplus {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = true;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = false;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return softplus(x); }
  // Returns dy / dx for the output y.
  GPUVAE_FORMULA static auto slope(auto y) { return neg(expm1(neg(y))); }
};

// x Phi(x): Hendrycks and Gimpel, "Gaussian error linear units", 2016; exact, with kernels/math/normal.h.
struct Gelu {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = false;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = false;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return x * normal_cdf(x); }
  // Returns dy / dx for the input x.
  GPUVAE_FORMULA static auto slope(auto x) { return mul_add(x, normal_density(x), normal_cdf(x)); }
};

// x sigmoid(x): Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation in
// reinforcement learning", 2017. The slope is sigmoid(x) + x sigmoid(x) sigmoid(-x).
struct Silu {
  // Whether slope() takes the output.
  static constexpr bool slope_from_output = false;
  // Whether the function is memory-bound on a CPU.
  static constexpr bool cheap = false;
  // Returns y for the input x.
  GPUVAE_FORMULA static auto value(auto x) { return x * sigmoid(x); }
  // Returns dy / dx for the input x.
  GPUVAE_FORMULA static auto slope(auto x) {
    const auto e = exp_of_moderate(neg(fabs(x))), whole = like(x, 1) + e;
    return mul_add(x, e / (whole * whole), sigmoid_from(x, e));
  }
};

#define GPUVAE_CASE_OF_ACTIVATION(name, Function) \
  case Activation::name:                          \
    return body(Function());
// Returns body(F()) for the struct F of an activation.
template <class Body>
GPUVAE_FORMULA constexpr auto with_function(Activation activation, const Body& body) {
  switch (activation) { GPUVAE_ACTIVATIONS(GPUVAE_CASE_OF_ACTIVATION) }
  return body(Identity());
}
#undef GPUVAE_CASE_OF_ACTIVATION
#endif
