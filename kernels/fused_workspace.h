// The layout of a fused step's workspace, as offsets in bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"

namespace gpuvae::kernels {

inline constexpr std::int64_t kFusedSmallestTile = 16;  // rows and columns of the smallest tile of a product

struct FusedWorkspace {
  // Rounds a row up to a multiple of four elements, so that rows of floats start at multiples of 16 bytes and
  // rows of bytes (x) at multiples of 4.
  static constexpr std::int64_t padded(std::int64_t columns) { return (columns + 3) / 4 * 4; }

  explicit FusedWorkspace(const FusedStepArgs& a) {
    const std::int64_t batch = a.gather.batch, latent = a.posterior.latent;
    const std::int64_t hidden = a.encoder[a.encoder_layers - 1].out, code = a.decoder[0].out;
    const std::int64_t outputs = a.outputs_per_feature() * padded(a.gather.columns);
    const auto tiles = [](std::int64_t n) { return (n + kFusedSmallestTile - 1) / kFusedSmallestTile; };
    scalars = take(256);
    samples = take(4 * batch);
    x = take(batch * padded(a.gather.columns) * static_cast<std::int64_t>(size_of(a.gather.source)));
    for (int i = 0; i < a.encoder_layers; ++i) {
      h[i] = take(4 * batch * padded(a.encoder[i].out));
      d_h[i] = take(4 * batch * padded(a.encoder[i].out));
    }
    for (int i = 0; i < a.decoder_layers; ++i) {
      g[i] = take(4 * batch * padded(a.decoder[i].out));
      d_g[i] = take(4 * batch * padded(a.decoder[i].out));
    }
    posterior_params = take(4 * batch * padded(2 * latent));
    d_posterior_params = take(4 * batch * padded(2 * latent));
    z = take(4 * batch * padded(latent));
    d_params = take(4 * batch * outputs);
    posterior_partials = take(4 * tiles(hidden) * batch * 2 * latent);
    z_partials = take(4 * tiles(code) * batch * latent);
    reconstruction_partials = take(8 * tiles(batch) * tiles(outputs + 2 * kFusedSmallestTile));
    kl_partials = take(8 * tiles(batch));
  }

  std::size_t bytes = 0;
  std::size_t scalars = 0, samples = 0, x = 0;
  std::size_t h[kFusedMaxLayers] = {}, d_h[kFusedMaxLayers] = {};  // encoder
  std::size_t g[kFusedMaxLayers] = {}, d_g[kFusedMaxLayers] = {};  // decoder
  std::size_t posterior_params = 0, d_posterior_params = 0, z = 0, d_params = 0;
  // Partial sums of shape [tiles, batch, ...]: each tile of the hidden layer contributes one.
  std::size_t posterior_partials = 0, z_partials = 0;
  std::size_t reconstruction_partials = 0, kl_partials = 0;  // doubles, one per block

 private:
  std::size_t take(std::int64_t size) {
    const std::size_t at = bytes;
    bytes += (static_cast<std::size_t>(size) + 255) / 256 * 256;
    return at;
  }
};

}  // namespace gpuvae::kernels
