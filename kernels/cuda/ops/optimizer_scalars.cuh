// The scalars of one optimiser update.
#pragma once

#include "kernels/cuda/ops/noise.cuh"
#include "kernels/math/optimizer.h"

namespace gpuvae::kernels {
namespace {

// Returns all scalars but the decay, which depends on the element. Adam's corrections 1 / (1 - beta^t) are
// computed in double, as -1 / expm1(t log beta), so only one thread of a block should call this function.
__device__ __forceinline__ math::OptimizerScalars<float> optimizer_scalars(const OptimizerArgs& args,
                                                                           double log_beta1,
                                                                           double log_beta2) {
  const std::uint64_t update = finished_steps(args.clock);
  const double t = static_cast<double>(update + 1);
  math::OptimizerScalars<float> scalars{};
  scalars.learning_rate = static_cast<float>(math::learning_rate_of(args, update));
  scalars.beta1 = static_cast<float>(args.beta1);
  scalars.beta2 = static_cast<float>(args.beta2);
  scalars.epsilon = static_cast<float>(args.epsilon);
  scalars.correction1 = static_cast<float>(-1 / math::expm1(t * log_beta1));
  scalars.correction2 = static_cast<float>(-1 / math::expm1(t * log_beta2));
  return scalars;
}

}  // namespace
}  // namespace gpuvae::kernels
