// Sampling from the diagonal Gaussian posterior and its KL to the prior, forward and backward.
#include "kernels/math/posterior.h"

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/math/philox.h"

namespace gpuvae::kernels {
namespace {

// Calls body(dimension, epsilon) for each dimension of a row; epsilon is 0 where no sample is wanted.
template <class T, class Body>
void each_dimension(const PosteriorArgs& g, bool sampled, std::uint64_t time, std::int64_t row,
                    const Body& body) {
  const bool drawn = sampled && !g.epsilon && g.noise_std != 0;
  float numbers[4] = {};
  for (std::int64_t i = 0; i < g.latent; ++i) {
    if (drawn && i % 4 == 0) {
      const auto block = static_cast<std::uint32_t>(i / 4);
      const Philox4x32 bits =
          random_block(g.noise.seed, g.noise.purpose, time, sample_of(g.noise, row), block);
      normal4(bits, numbers);
    }
    body(i, sampled && g.epsilon ? as<T>(g.epsilon)[row * g.latent + i] : static_cast<T>(numbers[i % 4]));
  }
}

template <class T>
void posterior_of(const PosteriorArgs& g) {
  const T noise_std = static_cast<T>(g.noise_std);
  const std::uint64_t time = time_of(g.noise);
  const auto chunk_kl = [&](std::int64_t begin, std::int64_t end) {
    double kl = 0;
    for (std::int64_t row = begin; row < end; ++row) {
      const T* mean = as<T>(g.stats) + row * 2 * g.latent;
      each_dimension<T>(g, g.z != nullptr, time, row, [&](std::int64_t i, T epsilon) {
        const auto sigma = math::posterior_sigma(g.scale, mean[g.latent + i]);
        if (g.z) as<T>(g.z)[row * g.latent + i] = mean[i] + noise_std * epsilon * sigma.sigma;
        if (g.kl) kl += static_cast<double>(math::kl_standard_normal(mean[i], sigma));
      });
    }
    return kl;
  };
  const bool worth = g.rows * g.latent >= kCostlyGrain;
  const double kl = parallel_sum(Chunks::of_rows(g.rows, 8 * g.latent), worth, chunk_kl);
  if (g.kl) *as<T>(g.kl) = static_cast<T>(g.kl_weight * kl);
}

template <class T>
void posterior_backward_of(const PosteriorBackwardArgs& b) {
  const PosteriorArgs& g = b.forward;
  const T noise_std = static_cast<T>(g.noise_std);
  const T kl_slope = static_cast<T>(g.kl_weight * b.d_kl) * value_or<T>(b.device_d_kl, 1);
  const std::uint64_t time = time_of(g.noise);
  const auto rows_backward = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* mean = as<T>(g.stats) + row * 2 * g.latent;
      T* d_mean = as<T>(b.d_stats) + row * 2 * g.latent;
      each_dimension<T>(g, b.d_z != nullptr, time, row, [&](std::int64_t i, T epsilon) {
        const auto sigma = math::posterior_sigma(g.scale, mean[g.latent + i]);
        const T d_z = b.d_z ? as<T>(b.d_z)[row * g.latent + i] : T(0);
        d_mean[i] = d_z + kl_slope * mean[i];
        d_mean[g.latent + i] =
            d_z * noise_std * epsilon * sigma.slope + kl_slope * math::kl_slope_in_s(sigma);
      });
    }
  };
  parallel_chunks(Chunks::of_rows(g.rows, 8 * g.latent), g.rows * g.latent >= kCostlyGrain, rows_backward);
}

}  // namespace

void CpuBackend::posterior(const PosteriorArgs& g, StreamHandle) {
  with_float(g.dtype, "posterior", [&](auto type) { posterior_of<decltype(type)>(g); });
}
void CpuBackend::posterior_backward(const PosteriorBackwardArgs& g, StreamHandle) {
  with_float(g.forward.dtype, "posterior_backward",
             [&](auto type) { posterior_backward_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels
