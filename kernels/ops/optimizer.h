// Arguments of the optimiser kernel, and of the kernel that averages the weights.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/math/average.h"
#include "kernels/math/optimizer.h"
#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Updates a whole arena of parameters with one launch. Only the first `decayed` elements have weight decay.
// `clock` gives the number of finished updates, so t in Adam's bias correction is that number + 1.
struct OptimizerArgs {
  DType dtype = DType::f32;
  OptimizerKind kind = OptimizerKind::adam;
  std::int64_t size = 0, decayed = 0;
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0;
  Clock clock = {};
  // The learning rate of update number i (from 0) is *device_learning_rate * learning_rate_factors[i %
  // factor_count]. Both are in device memory, so that launches of a captured graph see changes.
  const double* device_learning_rate = nullptr;   // null: learning_rate is used instead
  const double* learning_rate_factors = nullptr;  // or null for 1
  std::uint64_t factor_count = 1;
  void* parameters = nullptr;
  const void* gradients = nullptr;
  void* state1 = nullptr;                // [size]; SGD without momentum accesses it only on CUDA
  void* state2 = nullptr;                // [size], or null if optimizer_states() is 1
  const void* gradient_scale = nullptr;  // [1], or null for 1
  bool guarded = false;                  // changes nothing if *gradient_scale is NaN
  // The beginnings of the arena's tensors, the first of which is 0, or empty for one tensor. A CPU updates a
  // part of a tensor on the thread that most likely computed its gradient. The results do not depend on it.
  std::span<const std::int64_t> tensors = {};

  double bytes() const {
    return size_in_bytes(dtype, static_cast<double>(size) * (3 + 2 * math::optimizer_states(kind)));
  }
};

// average = keep * average + (1 - keep) * parameters, where keep = math::average_keep(form, decay, t) and t
// is the clock's step: the number of updates before the one that made the parameters.
struct AverageArgs {
  DType dtype = DType::f32;
  AverageForm form = AverageForm::warmup;
  std::int64_t size = 0;
  double decay = 0.999;
  Clock clock = {};
  const void* parameters = nullptr;      // [size]
  void* average = nullptr;               // [size]
  const void* gradient_scale = nullptr;  // [1], or null; nothing changes if it is NaN

  double bytes() const { return size_in_bytes(dtype, 3 * static_cast<double>(size)); }
};

}  // namespace gpuvae::kernels
