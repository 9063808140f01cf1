// The standard deviation of a diagonal Gaussian, from primitives, for what has no fused kernel.
#pragma once

#include "gpuvae/ops.h"

namespace gpuvae::ops {

// stats [rows, 2 latent]: the mean, then the scale parameter; [rows, latent].
Variable posterior_sigma(const Variable& stats, PosteriorScale scale);

}  // namespace gpuvae::ops
