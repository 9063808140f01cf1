// The log density of a mixture of diagonal Gaussians.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Returns the row stride of the workspace: the number of components, rounded up to a multiple of 16, so that
// vector loops need no remainder.
constexpr std::int64_t mixture_stride(std::int64_t components) { return (components + 15) / 16 * 16; }

// out[r] = log of the sum over k of exp(log_weights[k]) N(z[r]; mean_k, sigma_k^2), with diagonal Gaussians.
struct MixtureArgs {
  DType dtype = DType::f32;
  PosteriorScale scale = PosteriorScale::log_variance;
  std::int64_t rows = 0, latent = 0, components = 0;
  const void* z = nullptr;                 // [rows, latent]
  const void* component_params = nullptr;  // [components, 2 latent]: mean, then scale parameter
  const void* log_weights = nullptr;       // [components], or null for equal weights
  // [rows], or null: the component that the mixture of a row leaves out, or a negative number. The others
  // then have the weight 1 / (components - 1). Requires equal weights and 2 components or more.
  const std::int32_t* left_out = nullptr;
  void* workspace = nullptr;  // [2 latent + 1, mixture_stride(components)], written forward and read backward
  void* out = nullptr;        // [rows]

  double bytes() const { return size_in_bytes(dtype, input_elements() + static_cast<double>(rows)); }
  // The number of elements of the inputs and of the workspace.
  double input_elements() const {
    return times(rows, latent) + times(components, 2 * latent) + if_there(log_weights, components) +
           times(2 * latent + 1, mixture_stride(components));
  }
};
// Gradients of the log density. A gradient whose pointer is null is not computed.
struct MixtureBackwardArgs {
  MixtureArgs forward = {};     // the arguments of the forward pass, including its workspace and out
  const void* d_out = nullptr;  // [rows]
  void* d_z = nullptr;
  void* d_component_params = nullptr;
  void* d_log_weights = nullptr;

  double bytes() const {
    const MixtureArgs& f = forward;
    const double gradients = (d_z ? times(f.rows, f.latent) : 0) +
                             (d_component_params ? times(f.components, 2 * f.latent) : 0) +
                             if_there(d_log_weights, f.components);
    return size_in_bytes(f.dtype, f.input_elements() + 2 * static_cast<double>(f.rows) + gradients);
  }
};

// out[r] = the first k with among[k] == ids[r], or -1.
struct MatchArgs {
  std::int64_t rows = 0, candidates = 0;
  const std::int32_t* ids = nullptr;    // [rows]
  const std::int32_t* among = nullptr;  // [candidates]
  std::int32_t* out = nullptr;          // [rows]

  double bytes() const { return size_in_bytes(DType::i32, static_cast<double>(2 * rows + candidates)); }
};

}  // namespace gpuvae::kernels
