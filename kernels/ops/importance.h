// Arguments of the kernels for objectives of several draws per image: draws from a diagonal Gaussian
// posterior with the log ratio of prior and posterior, and the combination of the draws' log weights. "Row"
// is an image, and its draws are consecutive. The formulas of a draw are in kernels/math/draws.h.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// posterior_params is [rows, 2 latent]: mean, then scale parameter. With sigma from `scale` and q = N(mean,
// (noise_std sigma)^2), draw k of row r has the index n = r * draws + k:
//   z[n]         = mean + noise_std * epsilon * sigma
//   log_ratio[n] = the sum over dimensions of log N(z; 0, 1) - log q(z), or of -log q(z)
// The draws of a row continue its sequence of random numbers. Each begins with a new block of four, so that
// draw 0 is the draw of PosteriorArgs.
struct PosteriorDrawsArgs {
  DType dtype = DType::f32;
  PosteriorScale scale = PosteriorScale::log_variance;
  std::int64_t rows = 0, latent = 0, draws = 1;
  double noise_std = 1;         // above 0
  bool standard_normal = true;  // whether log_ratio contains log N(z; 0, 1)
  Noise noise = {};
  const void* epsilon = nullptr;  // [rows * draws, latent], or null to draw the noise in the kernel
  const void* posterior_params = nullptr;
  void* z = nullptr;          // [rows * draws, latent]
  void* log_ratio = nullptr;  // [rows * draws]

  double bytes() const {
    const double matrices = epsilon ? 2 : 1;
    return size_in_bytes(
        dtype, times(rows, latent) * (2 + static_cast<double>(draws) * matrices) + times(rows, draws));
  }
};
// The number of random numbers per draw: latent, rounded up to whole blocks of four.
inline std::int64_t numbers_per_draw(std::int64_t latent) { return (latent + 3) / 4 * 4; }

// The gradient with respect to posterior_params, given the gradients with respect to z and log_ratio. With
// EncoderGradient::path, the parameters of q in log_ratio count as constants. With doubly_reparameterized,
// the gradients of draw n are in addition multiplied by v[n] = d_log_ratio[n] / (sum of d_log_ratio over the
// draws of the row): if log_ratio enters an importance-weighted bound, its gradient is proportional to the
// normalised importance weights, so that v are these weights.
struct PosteriorDrawsBackwardArgs {
  PosteriorDrawsArgs forward = {};  // z and log_ratio are unused
  EncoderGradient gradient = EncoderGradient::total;
  const void* d_z = nullptr;          // [rows * draws, latent], or null
  const void* d_log_ratio = nullptr;  // [rows * draws], or null
  void* d_posterior_params = nullptr;

  double bytes() const {
    const PosteriorDrawsArgs& g = forward;
    const double matrices = (g.epsilon ? 1 : 0) + (d_z ? 1 : 0);
    return size_in_bytes(g.dtype, times(g.rows, g.latent) * (4 + static_cast<double>(g.draws) * matrices) +
                                      times(g.rows, g.draws));
  }
};

// A row has groups * samples draws; a group is `samples` consecutive draws. With log w = log_likelihood +
// kl_weight * log_ratio, the bound of a row is
//   elbo_share * (mean over the draws of log w)
//   + (1 - elbo_share) * (mean over the groups of log (mean over the group's draws of w))
// (Burda, Grosse and Salakhutdinov, 2015; Rainforth et al., 2018). *loss is -weight times its sum over rows;
// *reconstruction and *kl are -weight times the sums over rows of the means over the draws of log_likelihood
// and of log_ratio. The pass also computes the gradients of *loss. If all weights of a group are 0, so are
// its gradients. If kl_weight is 0, d_log_ratio is that for the weight kTinyKlWeight, because
// EncoderGradient::doubly_reparameterized computes the importance weights from it.
inline constexpr double kTinyKlWeight = 1e-20;
struct ImportanceArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, groups = 1, samples = 1;
  double elbo_share = 0, weight = 1, kl_weight = 1;
  const void* device_kl_weight = nullptr;  // [1], multiplies kl_weight; or null
  const void* log_likelihood = nullptr;    // [rows * groups * samples]
  const void* log_ratio = nullptr;         // [rows * groups * samples], or null for zeros
  void* loss = nullptr;                    // [1]
  void* reconstruction = nullptr;          // [1]
  void* kl = nullptr;                      // [1]
  void* bounds = nullptr;                  // [rows]
  void* effective_samples = nullptr;       // [rows]: (sum w)^2 / (sum w^2) over all draws of the row
  void* d_log_likelihood = nullptr;        // [rows * groups * samples], or null
  void* d_log_ratio = nullptr;             // [rows * groups * samples], or null
  double* row_terms = nullptr;             // workspace [rows, 3] on CUDA

  double bytes() const {
    const std::int64_t draws = rows * groups * samples;
    return size_in_bytes(dtype, static_cast<double>(draws + 2 * rows + 3) + if_there(log_ratio, draws) +
                                    if_there(d_log_likelihood, draws) + if_there(d_log_ratio, draws));
  }
};

}  // namespace gpuvae::kernels
