// A whole training step of an MLP-VAE as a few kernels: the arguments, the supported models, and the
// workspace.
//
//   x = gather(data)                                     [rows, features]
//   h = encoder layers, each activation(h W^T + b)        one or two layers
//   posterior_params = h posterior^T + b                  [rows, 2 latent]
//   z ~ q(z | x), kl                                      [rows, latent]
//   g = decoder layers                                    one or two layers
//   params = g output^T + b; reconstruction               [rows, features] or [rows, 2 features]
//
// The gradients of reconstruction + beta kl follow, then the optimiser's update of every weight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>

#include "kernels/ops/batch.h"
#include "kernels/ops/likelihood.h"
#include "kernels/ops/metrics.h"
#include "kernels/ops/optimizer.h"
#include "kernels/ops/posterior.h"

namespace gpuvae::kernels {

inline constexpr std::int64_t kFusedMaxBatch = 512, kFusedMaxHidden = 1024, kFusedMaxLatent = 64;
inline constexpr int kFusedMaxLayers = 2;  // largest number of hidden layers, each for encoder and decoder

// How the products are computed; sums are f32 in every case.
enum class FusedPrecision : std::uint8_t {
  automatic,   // split_tf32
  ffma,        // plain f32
  split_tf32,  // each factor is a sum of two TF32 numbers (three products): about as accurate as f32
  tf32,        // factors rounded to TF32: 11 significant bits
  bf16,        // factors rounded to bfloat16: 8 significant bits
};

// activation(x weight^T + bias), inside the optimiser's arena.
struct FusedLayer {
  std::int64_t in = 0, out = 0;
  float* weight = nullptr;  // [out, in]
  float* bias = nullptr;    // [out]
};

// One training step. It can be captured, because it allocates nothing and never waits.
struct FusedStepArgs {
  // The batch. `rows` is the size of a full batch; the kernels compute the actual number of rows from the
  // clock. `out` and `samples` are unused. All clocks below are equal to this clock, except the optimiser's.
  GatherArgs gather = {};
  PosteriorArgs posterior = {};  // scale, latent, noise_std, and the noise's seed, purpose and `frozen`

  int encoder_layers = 1, decoder_layers = 1;
  FusedLayer encoder[kFusedMaxLayers] = {}, decoder[kFusedMaxLayers] = {};  // in order of evaluation
  FusedLayer posterior_head = {}, output = {};
  Activation activation = Activation::relu;  // of the hidden layers

  LikelihoodOptions likelihood = {};  // Bernoulli (of logits) or Gaussian

  // The gradient is that of reconstruction_weight * reconstruction + kl_weight * kl. Both are sums over the
  // batch, divided by the number of its rows if `mean` is true. kl_weight rises linearly from 0 over the
  // clock's first `warmup_steps`.
  double reconstruction_weight = 1, kl_weight = 1, warmup_steps = 0;
  bool mean = true;

  OptimizerArgs optimizer = {};  // its gradients and gradient_scale are unused
  // totals[0] += weights[0] * reconstruction, totals[1] += weights[1] * kl, both sums over the batch;
  // bad_step as in MetricsArgs. The terms and the clock are unused.
  MetricsArgs metrics = {};
  std::uint64_t* advance = nullptr;  // += 1 after the step; may be the clocks' device_step; or null

  FusedPrecision precision = FusedPrecision::automatic;
  void* workspace = nullptr;  // fused_step_workspace() bytes, whose content is not kept between steps

  GPUVAE_HD int outputs_per_feature() const { return parameters_of(likelihood.kind); }
  // The bytes of the batch, and of reading and writing the parameters and states.
  double bytes() const {
    const double batch = size_in_bytes(gather.source, times(gather.rows, gather.columns));
    return batch + 4 * static_cast<double>(optimizer.size) * (2 + 2 * math::optimizer_states(optimizer.kind));
  }
};

// Returns "" if fused_step supports the configuration, or one line that names the obstacle. It checks sizes
// and kinds only and reads no pointers.
std::string fused_step_why_not(const FusedStepArgs& args);

// Returns the size in bytes of FusedStepArgs::workspace, which must be aligned to 256 bytes, or 0 if the
// configuration is not supported.
std::size_t fused_step_workspace(const FusedStepArgs& args);

}  // namespace gpuvae::kernels
