// Arguments of the kernels that sample a Gaussian posterior with a full covariance matrix.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// The number of parameters of a row: mean, log diagonal and the elements below the diagonal.
constexpr std::int64_t covariance_params(std::int64_t latent) {
  return 2 * latent + latent * (latent - 1) / 2;
}

// z = mean + L epsilon. L is lower triangular with the diagonal exp(a). A row of `params` holds the mean, a,
// and the elements below the diagonal, row by row. The density is -|epsilon|^2 / 2 - latent log(2 pi) / 2 -
// sum a, and the KL divergence to N(0, I) is (|L|^2 + |mean|^2 - latent) / 2 - sum a, in nats.
struct CovarianceArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, latent = 0;
  const void* params = nullptr;   // [rows, covariance_params(latent)]
  const void* epsilon = nullptr;  // [rows, latent]
  void* z = nullptr;              // [rows, latent]
  void* log_density = nullptr;    // [rows], or null
  void* kl = nullptr;             // [rows], or null

  double bytes() const {
    return size_in_bytes(dtype, times(rows, covariance_params(latent) + 2 * latent) +
                                    if_there(log_density, rows) + if_there(kl, rows));
  }
};
struct CovarianceBackwardArgs {
  CovarianceArgs forward = {};          // z, log_density and kl are unused
  const void* d_z = nullptr;            // [rows, latent]
  const void* d_log_density = nullptr;  // [rows], or null
  const void* d_kl = nullptr;           // [rows], or null
  void* d_params = nullptr;

  double bytes() const {
    const CovarianceArgs& f = forward;
    return size_in_bytes(f.dtype, times(f.rows, 2 * covariance_params(f.latent) + 2 * f.latent) +
                                      if_there(d_log_density, f.rows) + if_there(d_kl, f.rows));
  }
};

}  // namespace gpuvae::kernels
