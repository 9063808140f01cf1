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

struct FusedStepArgs;  // kernels/backend.h

// "" if fused_step takes the configuration, else what does not fit, in one line. Looks at sizes and kinds
// only, never at pointers.
std::string fused_step_why_not(const FusedStepArgs& args);

// Bytes of FusedStepArgs::workspace, to be aligned to 256 bytes; 0 where it does not fit.
std::size_t fused_step_workspace(const FusedStepArgs& args);

}  // namespace gpuvae::kernels
