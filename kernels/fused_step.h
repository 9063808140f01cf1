// A whole training step of an MLP-VAE as a handful of kernels: what it is given, which models it fits, and
// the memory it works in.
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
#include <string>

#include "kernels/ops/batch.h"
#include "kernels/ops/likelihood.h"
#include "kernels/ops/metrics.h"
#include "kernels/ops/optimizer.h"
#include "kernels/ops/posterior.h"

namespace gpuvae::kernels {

inline constexpr std::int64_t kFusedMaxBatch = 512, kFusedMaxHidden = 1024, kFusedMaxLatent = 64;
inline constexpr int kFusedMaxLayers = 2;  // hidden, of the encoder and of the decoder

// How the products inside are computed; sums are f32 in every case.
enum class FusedPrecision : std::uint8_t {
  automatic,   // split_tf32
  ffma,        // plain f32
  split_tf32,  // each factor as the sum of two TF32 numbers, three products: about as accurate as f32
  tf32,        // factors rounded to TF32: 11 significant bits
  bf16,        // factors rounded to bfloat16: 8 significant bits
};

// activation(x weight^T + bias), inside the optimiser's arena.
struct FusedLayer {
  std::int64_t in = 0, out = 0;
  float* weight = nullptr;  // [out, in]
  float* bias = nullptr;    // [out]
};

// One training step. Capturable: it allocates nothing and never waits.
struct FusedStepArgs {
  // The batch. `rows` is that of a full batch: the kernels see from the clock how many rows there are. `out`
  // and `samples` are unused. Every clock below is this one, but for the optimiser's.
  GatherArgs gather = {};
  PosteriorArgs posterior = {};  // scale, latent, noise_std, and the noise's seed, purpose and `frozen`

  int encoder_layers = 1, decoder_layers = 1;
  FusedLayer encoder[kFusedMaxLayers] = {}, decoder[kFusedMaxLayers] = {};  // in order of evaluation
  FusedLayer posterior_head = {}, output = {};
  Activation activation = Activation::relu;  // of the hidden layers

  LikelihoodOptions likelihood = {};  // Bernoulli (of logits) or Gaussian

  // The gradient is of reconstruction_weight * reconstruction + kl_weight * kl, sums over the batch, divided
  // by its rows if `mean`. kl_weight rises linearly from 0 over the clock's first `warmup_steps`.
  double reconstruction_weight = 1, kl_weight = 1, warmup_steps = 0;
  bool mean = true;

  OptimizerArgs optimizer = {};  // its gradients and gradient_scale are unused
  // totals[0] += weights[0] * reconstruction, totals[1] += weights[1] * kl, plain sums over the batch;
  // bad_step as in MetricsArgs. Terms and clock are unused.
  MetricsArgs metrics = {};
  std::uint64_t* advance = nullptr;  // += 1 when the step is done; may be the clocks' device_step; or null

  FusedPrecision precision = FusedPrecision::automatic;
  void* workspace = nullptr;  // fused_step_workspace() bytes; nothing in it is kept between steps

  GPUVAE_HD int outputs_per_feature() const { return parameters_of(likelihood.kind); }
  // Of the batch, and of reading and writing parameters and states.
  double bytes() const {
    const double batch = size_in_bytes(gather.source, times(gather.rows, gather.columns));
    return batch + 4 * static_cast<double>(optimizer.size) * (2 + 2 * math::optimizer_states(optimizer.kind));
  }
};

// "" if fused_step takes the configuration, else what does not fit, in one line. Looks at sizes and kinds
// only, never at pointers.
std::string fused_step_why_not(const FusedStepArgs& args);

// Bytes of FusedStepArgs::workspace, to be aligned to 256 bytes; 0 where it does not fit.
std::size_t fused_step_workspace(const FusedStepArgs& args);

}  // namespace gpuvae::kernels
