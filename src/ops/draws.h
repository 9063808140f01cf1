// Parts of operations on several draws per row.
#pragma once

#include "gpuvae/ops.h"

namespace gpuvae::ops {

// Returns the epsilon of `draws` draws per row, [rows * draws, latent], as sample_posterior_draws draws it.
Tensor draw_epsilon(const Noise& noise, std::int64_t rows, std::int64_t latent, std::int64_t draws,
                    DType dtype, Device device);

// A draw of z [rows * draws, latent] and its log q(z | x) [rows * draws, 1], with other gradients.
struct WeightedDraw {
  Variable z, log_density;
};
// Returns both arguments unchanged. The gradient of each draw is multiplied by its share of the gradient with
// respect to the log densities of its row, which is its normalised importance weight; see
// EncoderGradient::doubly_reparameterized.
WeightedDraw doubly_reparameterize(const Variable& z, const Variable& log_density, std::int64_t draws);

}  // namespace gpuvae::ops
