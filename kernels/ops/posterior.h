// Arguments of the kernels that sample a diagonal Gaussian posterior and compute its KL divergence.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// posterior_params is [rows, 2 latent]: mean, then scale parameter. With sigma from `scale`:
//   z   = mean + noise_std * epsilon * sigma         epsilon drawn from `noise`, or given
//   *kl = kl_weight * sum over rows and dimensions of KL(N(mean, sigma^2) || N(0, 1))
struct PosteriorArgs {
  DType dtype = DType::f32;
  PosteriorScale scale = PosteriorScale::log_variance;
  std::int64_t rows = 0, latent = 0;
  double noise_std = 1, kl_weight = 1;
  Noise noise = {};
  const void* epsilon = nullptr;  // [rows, latent], or null to draw the noise in the kernel
  const void* posterior_params = nullptr;
  void* z = nullptr;   // [rows, latent], or null
  void* kl = nullptr;  // [1], or null

  double bytes() const {
    const double matrices = 2 + (epsilon ? 1 : 0) + (z ? 1 : 0);
    return size_in_bytes(dtype, times(rows, latent) * matrices + (kl ? 1 : 0));
  }
};
// The gradient with respect to posterior_params, given the gradients d_z and d_kl of the loss with respect to
// z and kl. kl_weight multiplies d_kl.
struct PosteriorBackwardArgs {
  PosteriorArgs forward = {};  // z and kl are unused
  const void* d_z = nullptr;   // [rows, latent], or null
  double d_kl = 0;
  const void* device_d_kl = nullptr;  // [1], multiplies d_kl; or null
  void* d_posterior_params = nullptr;

  double bytes() const {
    const double matrices = 4 + (forward.epsilon ? 1 : 0) + (d_z ? 1 : 0);
    return size_in_bytes(forward.dtype, times(forward.rows, forward.latent) * matrices);
  }
};

}  // namespace gpuvae::kernels
