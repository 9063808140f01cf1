// Activations, forward beside derivative. The derivative is a function of the output y, so that a layer
// keeps one tensor for its backward pass.
#pragma once

#include "gpuvae/types.h"
#include "kernels/math/scalar.h"

namespace gpuvae::math {

template <class T>
GPUVAE_HD T activate(Activation a, T x) {
  switch (a) {
    case Activation::relu:
      return x > T(0) ? x : (x == x ? T(0) : x);  // NaN stays NaN
    case Activation::leaky_relu:
      return x > T(0) ? x : T(kLeakySlope) * x;
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::softplus:
      return softplus(x);
    case Activation::identity:
      break;
  }
  return x;
}

// dy/dx from y.
template <class T>
GPUVAE_HD T activation_derivative(Activation a, T y) {
  switch (a) {
    case Activation::relu:
      return y > T(0) ? T(1) : T(0);
    case Activation::leaky_relu:
      return y > T(0) ? T(1) : T(kLeakySlope);
    case Activation::sigmoid:
      return y * (T(1) - y);
    case Activation::tanh:
      return T(1) - y * y;
    case Activation::softplus:
      return -expm1(-y);
    case Activation::identity:
      break;
  }
  return T(1);
}

}  // namespace gpuvae::math
