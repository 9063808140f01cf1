// Sampling from a Gaussian posterior with a full covariance matrix, forward and backward. A warp computes a
// row, one row of L after the other. `width` is the number of parameters per row.
#include "gpuvae/device/likelihood.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/ops/covariance.h"

namespace gpuvae::kernels {
namespace {

__global__ void __launch_bounds__(kThreads) covariance_kernel(CovarianceArgs args, std::int64_t width) {
  const std::int64_t latent = args.latent;
  const unsigned lane = threadIdx.x % 32;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const float* mean = static_cast<const float*>(args.params) + row * width;
    const float *a = mean + latent, *lower = a + latent;
    const float* epsilon = static_cast<const float*>(args.epsilon) + row * latent;
    float* z = static_cast<float*>(args.z) + row * latent;
    float squares = 0;
    for (std::int64_t i = 0; i < latent; lower += i, ++i) {
      float sum = 0;
      for (std::int64_t j = lane; j < i; j += 32) {
        sum += lower[j] * epsilon[j];
        squares += lower[j] * lower[j];
      }
      sum = warp_sum(sum);
      if (lane == 0) z[i] = mean[i] + math::exp(a[i]) * epsilon[i] + sum;
    }
    float log_diagonal = 0, noise = 0;
    for (std::int64_t i = lane; i < latent; i += 32) {
      const float diagonal = math::exp(a[i]);
      log_diagonal += a[i];
      noise += epsilon[i] * epsilon[i];
      squares += diagonal * diagonal + mean[i] * mean[i] - 1.0f;
    }
    log_diagonal = warp_sum(log_diagonal);
    noise = warp_sum(noise);
    squares = warp_sum(squares);
    if (lane != 0) continue;
    if (args.kl) static_cast<float*>(args.kl)[row] = 0.5f * squares - log_diagonal;
    if (args.log_density)
      static_cast<float*>(args.log_density)[row] =
          -0.5f * (noise + static_cast<float>(math::kLogTwoPi) * static_cast<float>(latent)) - log_diagonal;
  }
}

__global__ void __launch_bounds__(kThreads)
    covariance_backward_kernel(CovarianceBackwardArgs args, std::int64_t width) {
  const CovarianceArgs& forward = args.forward;
  const std::int64_t latent = forward.latent;
  const unsigned lane = threadIdx.x % 32;
  for (std::int64_t row = grid_thread() / 32; row < forward.rows; row += grid_threads() / 32) {
    const std::int64_t at = row * width;
    const float *mean = static_cast<const float*>(forward.params) + at, *lower = mean + 2 * latent;
    const float* epsilon = static_cast<const float*>(forward.epsilon) + row * latent;
    const float* d_z = static_cast<const float*>(args.d_z) + row * latent;
    float *d_mean = static_cast<float*>(args.d_params) + at, *d_lower = d_mean + 2 * latent;
    const float d_kl = args.d_kl ? static_cast<const float*>(args.d_kl)[row] : 0.0f;
    const float d_log = args.d_log_density ? static_cast<const float*>(args.d_log_density)[row] : 0.0f;
    for (std::int64_t i = lane; i < latent; i += 32) {
      const float diagonal = math::exp(mean[latent + i]);
      d_mean[i] = d_z[i] + d_kl * mean[i];
      d_mean[latent + i] = diagonal * (d_z[i] * epsilon[i] + d_kl * diagonal) - d_kl - d_log;
    }
    for (std::int64_t i = 0; i < latent; lower += i, d_lower += i, ++i) {
      const float upstream = d_z[i];
      for (std::int64_t j = lane; j < i; j += 32) d_lower[j] = upstream * epsilon[j] + d_kl * lower[j];
    }
  }
}

}  // namespace

void CudaBackend::run(const CovarianceArgs& args, StreamHandle stream) {
  require_f32("full_covariance", args.dtype);
  const DeviceGuard on(device_);
  launch({"full_covariance", "covariance_kernel", blocks(args.rows, kThreads / 32), kThreads,
          args.rows * covariance_params(args.latent), stream},
         covariance_kernel, args, covariance_params(args.latent));
}

void CudaBackend::run(const CovarianceBackwardArgs& args, StreamHandle stream) {
  require_f32("full_covariance_backward", args.forward.dtype);
  const DeviceGuard on(device_);
  launch({"full_covariance_backward", "covariance_backward_kernel", blocks(args.forward.rows, kThreads / 32),
          kThreads, args.forward.rows * covariance_params(args.forward.latent), stream},
         covariance_backward_kernel, args, covariance_params(args.forward.latent));
}

}  // namespace gpuvae::kernels
