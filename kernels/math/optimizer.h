// The update of one element by each optimiser. Comments beside the formulas name their sources.
#pragma once

#include "gpuvae/device/host_device.h"
#include "gpuvae/enums.h"

namespace gpuvae::math {

// Returns the number of states that an optimiser keeps per parameter.
GPUVAE_HD constexpr int optimizer_states(OptimizerKind k) {
  return k == OptimizerKind::adam || k == OptimizerKind::adamw ? 2 : 1;
}

// Returns the learning rate of update number `update`, counted from 0. kernels::OptimizerArgs describes the
// pointers.
template <class Args>
GPUVAE_HD double learning_rate_of(const Args& args, std::uint64_t update) {
  const double rate = args.device_learning_rate ? *args.device_learning_rate : args.learning_rate;
  if (!args.learning_rate_factors) return rate;
  return rate * args.learning_rate_factors[args.factor_count > 1 ? update % args.factor_count : 0];
}

template <class T>
struct OptimizerScalars {
  T learning_rate;
  T beta1;  // Adam's beta1; SGD's momentum
  T beta2;  // Adam's beta2; RMSprop's rho
  T epsilon;
  T decay;        // decay * p is added to g (L2 penalty); for AdamW, decoupled weight decay
  T correction1;  // 1 / (1 - beta1^t)
  T correction2;  // 1 / (1 - beta2^t)
};

// Updates parameter p and states s1, s2 with gradient g.
template <class T>
GPUVAE_HD void optimizer_update(OptimizerKind kind, const OptimizerScalars<T>& o, T g, T& p, T& s1, T& s2) {
  if (kind == OptimizerKind::adamw) {
    p -= o.learning_rate * o.decay * p;  // Loshchilov and Hutter, 2019
  } else {
    g += o.decay * p;
  }
  // All optimisers but SGD divide by a square root. They share one division, so that the compiler emits its
  // code only once.
  T numerator = o.learning_rate * g, square = T(0), epsilon = o.epsilon;
  switch (kind) {
    case OptimizerKind::sgd:  // classical momentum, as in torch.optim.SGD
      s1 = o.beta1 * s1 + g;
      p -= o.learning_rate * s1;
      return;
    case OptimizerKind::rmsprop:  // Hinton, 2012; epsilon is outside the root, as in Keras
      s1 = o.beta2 * s1 + (T(1) - o.beta2) * g * g;
      square = s1;
      break;
    case OptimizerKind::rmsprop_tf1:  // TensorFlow 1: epsilon is inside the root, the accumulator starts at 1
      s1 = o.beta2 * s1 + (T(1) - o.beta2) * g * g;
      square = s1 + o.epsilon;
      epsilon = T(0);
      break;
    case OptimizerKind::adagrad:  // Duchi, Hazan, Singer, 2011
      s1 += g * g;
      square = s1;
      break;
    case OptimizerKind::adam:  // Kingma and Ba, 2015
    case OptimizerKind::adamw:
      s1 = o.beta1 * s1 + (T(1) - o.beta1) * g;
      s2 = o.beta2 * s2 + (T(1) - o.beta2) * g * g;
      numerator = o.learning_rate * (s1 * o.correction1);
      square = s2 * o.correction2;
      break;
  }
  p -= numerator / (sqrt(square) + epsilon);
}

}  // namespace gpuvae::math
