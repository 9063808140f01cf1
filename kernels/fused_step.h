// The fused training step, which computes a whole step of an MLP-VAE with a few kernels: its arguments, the
// models that it supports, and its workspace.
//
//   x = gather(data)                                     [rows, features]
//   h = encoder layers, each activation(h W^T + b)        one or two layers
//   posterior_params = h posterior_head^T + b             [rows, 2 latent]
//   z ~ q(z | x), kl                                      [rows, latent]
//   g = decoder layers                                    one or two layers
//   params = g output^T + b; reconstruction               [rows, features] or [rows, 2 features]
//
// The step then computes the gradients of reconstruction_weight * reconstruction + kl_weight * kl and updates
// every weight and bias.
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
// The maximum number of hidden layers of the encoder, and of the decoder.
inline constexpr int kFusedMaxLayers = 2;

// How the matrix products are computed. All of them accumulate in f32.
enum class FusedPrecision : std::uint8_t {
  automatic,   // the same as split_tf32
  ffma,        // plain f32
  split_tf32,  // splits each factor into two TF32 numbers (three products): about as accurate as f32
  tf32,        // factors rounded to TF32: 11 significant bits
  bf16,        // factors rounded to bfloat16: 8 significant bits
};

// The parameters of a dense layer, x weight^T + bias. They lie in the optimiser's arena.
struct FusedLayer {
  std::int64_t in = 0, out = 0;
  float* weight = nullptr;  // [out, in]
  float* bias = nullptr;    // [out]
};

// The arguments of one training step. The step can be captured in a CUDA graph, because it allocates no
// memory and never waits for the device.
struct FusedStepArgs {
  // The batch. `rows` equals `batch`, the size of a full batch; the kernels compute the number of rows of
  // this batch from the clock. The noise and the warm-up use this clock too, so the other clocks are unused,
  // except the optimiser's. `out` and `samples` are unused.
  GatherArgs gather = {};
  PosteriorArgs posterior = {};  // uses scale, latent, noise_std, and seed, purpose and frozen of the noise

  int encoder_layers = 1, decoder_layers = 1;
  FusedLayer encoder[kFusedMaxLayers] = {}, decoder[kFusedMaxLayers] = {};  // in order of evaluation
  FusedLayer posterior_head = {}, output = {};
  Activation activation = Activation::relu;  // of the hidden layers

  LikelihoodOptions likelihood = {};  // Bernoulli with logits, or Gaussian

  // The loss is reconstruction_weight * reconstruction + kl_weight * kl, where both terms are sums over the
  // batch, or means over its rows if `mean` is true. The weight of kl rises linearly from 0 to kl_weight over
  // the clock's first `warmup_steps` steps.
  double reconstruction_weight = 1, kl_weight = 1, warmup_steps = 0;
  bool mean = true;

  OptimizerArgs optimizer = {};  // gradients is unused, and gradient_scale must be null
  // Adds weights[0] * reconstruction to totals[0] and weights[1] * kl to totals[1], where both terms are sums
  // over the batch. bad_step is as in MetricsArgs; the other members are unused.
  MetricsArgs metrics = {};
  std::uint64_t* advance = nullptr;  // incremented after the step; may be the clocks' device_step; or null

  FusedPrecision precision = FusedPrecision::automatic;
  void* workspace = nullptr;  // fused_step_workspace() bytes; nothing in it is kept between steps

  GPUVAE_HD int outputs_per_feature() const { return parameters_of(likelihood.kind); }
  // The bytes of the batch, and of reading and writing the parameters and states.
  double bytes() const {
    const double batch = size_in_bytes(gather.source, times(gather.rows, gather.columns));
    return batch + 4 * static_cast<double>(optimizer.size) * (2 + 2 * math::optimizer_states(optimizer.kind));
  }
};

// Returns "" if fused_step supports the configuration, or one line that says why it does not. Checks sizes,
// kinds and whether optional arrays are null, and accesses no array.
std::string fused_step_why_not(const FusedStepArgs& args);

// Returns the size in bytes of FusedStepArgs::workspace, which must be aligned to 256 bytes, or 0 if the
// configuration is not supported.
std::size_t fused_step_workspace(const FusedStepArgs& args);

}  // namespace gpuvae::kernels
