// Sampling from the posterior with noise drawn in the kernel, and the KL divergence to the standard normal.
// The forward and the backward pass are one kernel each. Each thread computes four latent dimensions of a
// row, which need one Philox block.
#include "gpuvae/device/posterior.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/noise.cuh"

namespace gpuvae::kernels {
namespace {

// noise_std * epsilon
template <bool Aligned>
__device__ __forceinline__ Floats<4> scaled_epsilon(const PosteriorArgs& args, std::uint64_t time,
                                                    ColumnGroup g) {
  const float scale = static_cast<float>(args.noise_std);
  Floats<4> epsilon{};
  if (scale == 0.0f) return epsilon;
  if (args.epsilon) {
    const float* given = static_cast<const float*>(args.epsilon);
    epsilon = load_some<Aligned>(given + g.row * args.latent + g.column, g.count);
  } else {
    epsilon = noise_normals(args.noise, time, g.row, g.column);
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) epsilon[k] *= scale;
  return epsilon;
}

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) posterior_kernel(PosteriorArgs args, Scratch scratch) {
  const float* posterior_params = static_cast<const float*>(args.posterior_params);
  float* z = static_cast<float*>(args.z);
  const std::uint64_t time = noise_time(args.noise);
  double sum = 0;
  for_column_groups(args.rows, args.latent, [&](ColumnGroup g) {
    const std::int64_t at_mean = 2 * g.row * args.latent + g.column;
    const Floats<4> mean = load_some<Aligned>(posterior_params + at_mean, g.count);
    const Floats<4> scale = load_some<Aligned>(posterior_params + at_mean + args.latent, g.count);
    Floats<4> sample{}, kl;
    if (z) sample = scaled_epsilon<Aligned>(args, time, g);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const auto sigma = math::posterior_sigma(args.scale, scale[k]);
      sample[k] = mean[k] + sample[k] * math::factor_for(sample[k], sigma.sigma);
      kl[k] = k < g.count ? math::kl_standard_normal(mean[k], sigma) : 0.0f;
    }
    sum += sum_of(kl);
    if (z) store_some<Aligned>(z + g.row * args.latent + g.column, sample, g.count);
  });
  if (!args.kl) return;
  grid_sum(static_cast<float>(sum), scratch, [&](double total) {
    *static_cast<float*>(args.kl) = args.kl_weight == 0 ? 0.0f : static_cast<float>(args.kl_weight * total);
  });
}

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) posterior_backward_kernel(PosteriorBackwardArgs args) {
  const PosteriorArgs& forward = args.forward;
  const float* posterior_params = static_cast<const float*>(forward.posterior_params);
  const float* d_z = static_cast<const float*>(args.d_z);
  const float* device_d_kl = static_cast<const float*>(args.device_d_kl);
  float* d_posterior_params = static_cast<float*>(args.d_posterior_params);
  const float d_kl = static_cast<float>(args.d_kl * forward.kl_weight) * (device_d_kl ? *device_d_kl : 1.0f);
  const std::uint64_t time = noise_time(forward.noise);
  for_column_groups(forward.rows, forward.latent, [&](ColumnGroup g) {
    const std::int64_t at_mean = 2 * g.row * forward.latent + g.column, at_scale = at_mean + forward.latent;
    Floats<4> mean = load_some<Aligned>(posterior_params + at_mean, g.count);
    Floats<4> scale = load_some<Aligned>(posterior_params + at_scale, g.count);
    Floats<4> upstream{}, epsilon{};
    if (d_z) {
      upstream = load_some<Aligned>(d_z + g.row * forward.latent + g.column, g.count);
      epsilon = scaled_epsilon<Aligned>(forward, time, g);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const auto sigma = math::posterior_sigma(forward.scale, scale[k]);
      mean[k] = upstream[k] + d_kl * mean[k];
      const float d_sigma = upstream[k] * epsilon[k];
      scale[k] = d_sigma * math::factor_for(d_sigma, sigma.slope);
      // With weight 0 the KL divergence adds nothing, even if its slope is infinite.
      if (d_kl != 0.0f) scale[k] += d_kl * math::kl_slope_in_s(sigma);
    }
    store_some<Aligned>(d_posterior_params + at_mean, mean, g.count);
    store_some<Aligned>(d_posterior_params + at_scale, scale, g.count);
  });
}

}  // namespace

void CudaBackend::run(const PosteriorArgs& args, StreamHandle stream) {
  require_f32("posterior", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.latent % 4 == 0 && aligned16(args.posterior_params, args.epsilon, args.z);
  const std::int64_t groups = args.rows * ceil_div(args.latent, 4);
  const std::int64_t grid = blocks(groups, kThreads, args.kl ? 1 : 0);
  launch({"posterior", "posterior_kernel", grid, kThreads, args.rows * args.latent, stream},
         aligned ? posterior_kernel<true> : posterior_kernel<false>, args, scratch(stream));
}

void CudaBackend::run(const PosteriorBackwardArgs& args, StreamHandle stream) {
  const PosteriorArgs& forward = args.forward;
  require_f32("posterior_backward", forward.dtype);
  const DeviceGuard on(device_);
  const bool aligned = forward.latent % 4 == 0 && aligned16(forward.posterior_params, forward.epsilon,
                                                            args.d_z, args.d_posterior_params);
  const std::int64_t grid = blocks(forward.rows * ceil_div(forward.latent, 4), kThreads);
  launch({"posterior_backward", "posterior_backward_kernel", grid, kThreads, forward.rows * forward.latent,
          stream},
         aligned ? posterior_backward_kernel<true> : posterior_backward_kernel<false>, args);
}

}  // namespace gpuvae::kernels
