// Arguments of the kernels for normalizing flows, which map each row of z and return log |det dz'/dz|.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// A sequence of planar layers (kernels/math/planar.h). A row of `params` holds w, u and b of the first layer,
// then those of the second, and so on.
struct PlanarFlowArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, latent = 0, layers = 0;
  const void* z = nullptr;       // [rows, latent]
  const void* params = nullptr;  // [rows, layers (2 latent + 1)]
  void* states = nullptr;        // [layers - 1, rows, latent]: outputs of all layers but the last; or null
  void* out = nullptr;           // [rows, latent]
  void* log_det = nullptr;       // [rows]

  std::int64_t layer_size() const { return 2 * latent + 1; }
  double bytes() const {
    return size_in_bytes(dtype, times(rows, 2 * latent + layers * layer_size() + 1) +
                                    if_there(states, (layers - 1) * rows * latent));
  }
};
struct PlanarFlowBackwardArgs {
  PlanarFlowArgs forward = {};      // with states unless there is one layer; out and log_det are unused
  const void* d_out = nullptr;      // [rows, latent]
  const void* d_log_det = nullptr;  // [rows]
  void* d_z = nullptr;              // [rows, latent]
  void* d_params = nullptr;

  double bytes() const {
    const PlanarFlowArgs& f = forward;
    return size_in_bytes(f.dtype,
                         times(f.rows, (f.layers + 2) * f.latent + 2 * f.layers * f.layer_size() + 1));
  }
};

// A step of an inverse autoregressive flow: see math::autoregressive_step.
struct AutoregressiveStepArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, latent = 0;
  const void* z = nullptr;       // [rows, latent]
  const void* params = nullptr;  // [rows, 2 latent]: m, then s
  void* out = nullptr;           // [rows, latent]
  void* log_det = nullptr;       // [rows]

  double bytes() const { return size_in_bytes(dtype, times(rows, 4 * latent + 1)); }
};
struct AutoregressiveStepBackwardArgs {
  AutoregressiveStepArgs forward = {};  // out and log_det are unused
  const void* d_out = nullptr;          // [rows, latent]
  const void* d_log_det = nullptr;      // [rows]
  void* d_z = nullptr;
  void* d_params = nullptr;

  double bytes() const { return size_in_bytes(forward.dtype, times(forward.rows, 7 * forward.latent + 1)); }
};

}  // namespace gpuvae::kernels
