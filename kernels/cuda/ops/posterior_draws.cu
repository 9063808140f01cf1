// Several draws per row from the diagonal Gaussian posterior, with noise drawn in the kernel and the log
// ratio of prior and posterior, forward and backward.
#include "gpuvae/device/likelihood.h"
#include "gpuvae/device/posterior.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/noise.cuh"
#include "kernels/ops/importance.h"

namespace gpuvae::math {
namespace {
#define GPUVAE_FORMULA __device__ __forceinline__
#include "kernels/math/draws.h"
#undef GPUVAE_FORMULA
}  // namespace
}  // namespace gpuvae::math

namespace gpuvae::kernels {
namespace {

// Returns epsilon in the columns column, ..., column + count - 1 of draw k of a row. The other elements are
// undefined.
template <bool Aligned>
__device__ __forceinline__ Floats<4> epsilon_of(const PosteriorDrawsArgs& args, std::uint64_t time,
                                                std::int64_t row, std::int64_t k, std::int64_t column,
                                                int count) {
  if (args.epsilon) {
    const float* given = static_cast<const float*>(args.epsilon);
    return load_some<Aligned>(given + (row * args.draws + k) * args.latent + column, count);
  }
  const std::int64_t numbers = (args.latent + 3) / 4 * 4;
  return noise_normals(args.noise, time, row, k * numbers + column);
}

// Each warp computes a draw. `Aligned` means that `latent` is a multiple of four and all pointers are aligned
// to 16 bytes.
template <bool Aligned>
__global__ void __launch_bounds__(kThreads) posterior_draws_kernel(PosteriorDrawsArgs args) {
  const std::uint64_t time = noise_time(args.noise);
  const std::int64_t lane = threadIdx.x % 32, draws = args.rows * args.draws;
  const float noise_std = static_cast<float>(args.noise_std), log_noise_std = math::log(noise_std);
  for (std::int64_t n = grid_thread() / 32; n < draws; n += grid_threads() / 32) {
    const std::int64_t row = n / args.draws, k = n - row * args.draws;
    const float* params = static_cast<const float*>(args.posterior_params) + 2 * row * args.latent;
    float* z = static_cast<float*>(args.z) + n * args.latent;
    double sum = 0;
    for (std::int64_t column = 4 * lane; column < args.latent; column += 4 * 32) {
      const std::int64_t left = args.latent - column;
      const int count = left < 4 ? static_cast<int>(left) : 4;
      const Floats<4> mean = load_some<Aligned>(params + column, count);
      const Floats<4> scale = load_some<Aligned>(params + args.latent + column, count);
      const Floats<4> epsilon = epsilon_of<Aligned>(args, time, row, k, column, count);
      Floats<4> sample;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const auto sigma = math::posterior_sigma(args.scale, scale[i]);
        const float scaled = noise_std * epsilon[i];
        sample[i] = mean[i] + scaled * math::factor_for(scaled, sigma.sigma);
        const float share =
            math::log_ratio_of(epsilon[i], sample[i], sigma.log_sigma + log_noise_std, args.standard_normal);
        sum += i < count ? share : 0.0f;
      }
      store_some<Aligned>(z + column, sample, count);
    }
    sum = warp_sum(sum);
    if (lane == 0) static_cast<float*>(args.log_ratio)[n] = static_cast<float>(sum);
  }
}

// Returns 1 / (sum of the gradients with respect to the log ratios of a row), or 0 if the sum is 0.
__device__ __forceinline__ float inverse_of_total(const float* d_log_ratio, std::int64_t draws) {
  double total = 0;
  for (std::int64_t k = threadIdx.x % 32; k < draws; k += 32) total += d_log_ratio[k];
  total = warp_sum(total);
  return total == 0 ? 0.0f : static_cast<float>(1 / total);
}

// The sums over the draws for four columns.
struct SlopeSums {
  Floats<4> mean{}, s{};
};

// Each warp computes four columns of a row. Its lanes share the draws.
template <bool Aligned>
__global__ void __launch_bounds__(kThreads) posterior_draws_backward_kernel(PosteriorDrawsBackwardArgs args) {
  const PosteriorDrawsArgs& forward = args.forward;
  const std::uint64_t time = noise_time(forward.noise);
  const std::int64_t lane = threadIdx.x % 32, latent = forward.latent, draws = forward.draws;
  const std::int64_t groups = ceil_div(latent, 4);
  const float noise_std = static_cast<float>(forward.noise_std);
  const bool stopped = args.gradient != EncoderGradient::total;
  const bool weighted = args.gradient == EncoderGradient::doubly_reparameterized;
  const float* all_d_z = static_cast<const float*>(args.d_z);
  const float* all_ratios = static_cast<const float*>(args.d_log_ratio);
  for (std::int64_t n = grid_thread() / 32; n < forward.rows * groups; n += grid_threads() / 32) {
    const std::int64_t row = n / groups, column = 4 * (n - row * groups), left = latent - column;
    const int count = left < 4 ? static_cast<int>(left) : 4;
    const std::int64_t at_mean = 2 * row * latent + column, at_scale = at_mean + latent;
    const float* params = static_cast<const float*>(forward.posterior_params);
    const Floats<4> mean = load_some<Aligned>(params + at_mean, count);
    const Floats<4> scale = load_some<Aligned>(params + at_scale, count);
    const float* ratios = all_ratios ? all_ratios + row * draws : nullptr;
    const float inverse = weighted && ratios ? inverse_of_total(ratios, draws) : 0.0f;
    SlopeSums sums;
    for (std::int64_t k = lane; k < draws; k += 32) {
      const float given = ratios ? ratios[k] : 0.0f, factor = weighted ? inverse * given : 1.0f;
      const float ratio = factor * given;
      Floats<4> d_z{};
      if (all_d_z) d_z = load_some<Aligned>(all_d_z + (row * draws + k) * latent + column, count);
      const Floats<4> epsilon = epsilon_of<Aligned>(forward, time, row, k, column, count);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const auto sigma = math::posterior_sigma(forward.scale, scale[i]);
        const float scaled = noise_std * epsilon[i];
        float arriving = factor * d_z[i];
        if (forward.standard_normal)
          arriving -= ratio * (mean[i] + scaled * math::factor_for(scaled, sigma.sigma));
        const auto slopes = math::draw_slopes(arriving, ratio, epsilon[i], noise_std, sigma.sigma,
                                              sigma.slope, sigma.log_slope, stopped);
        sums.mean[i] += slopes.mean;
        sums.s[i] += slopes.s;
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      sums.mean[i] = warp_sum(sums.mean[i]);
      sums.s[i] = warp_sum(sums.s[i]);
    }
    if (lane != 0) continue;
    float* out = static_cast<float*>(args.d_posterior_params);
    store_some<Aligned>(out + at_mean, sums.mean, count);
    store_some<Aligned>(out + at_scale, sums.s, count);
  }
}

}  // namespace

void CudaBackend::run(const PosteriorDrawsArgs& args, StreamHandle stream) {
  require_f32("posterior_draws", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.latent % 4 == 0 && aligned16(args.posterior_params, args.epsilon, args.z);
  const std::int64_t draws = args.rows * args.draws;
  launch({"posterior_draws", "posterior_draws_kernel", blocks(draws, kThreads / 32), kThreads,
          draws * args.latent, stream},
         aligned ? posterior_draws_kernel<true> : posterior_draws_kernel<false>, args);
}

void CudaBackend::run(const PosteriorDrawsBackwardArgs& args, StreamHandle stream) {
  const PosteriorDrawsArgs& forward = args.forward;
  require_f32("posterior_draws_backward", forward.dtype);
  const DeviceGuard on(device_);
  const bool aligned = forward.latent % 4 == 0 && aligned16(forward.posterior_params, forward.epsilon,
                                                            args.d_z, args.d_posterior_params);
  const std::int64_t work = forward.rows * ceil_div(forward.latent, 4);
  launch({"posterior_draws_backward", "posterior_draws_backward_kernel", blocks(work, kThreads / 32),
          kThreads, forward.rows * forward.draws * forward.latent, stream},
         aligned ? posterior_draws_backward_kernel<true> : posterior_draws_backward_kernel<false>, args);
}

}  // namespace gpuvae::kernels
