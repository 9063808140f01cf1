// Draws from distributions of whole numbers. They are computed on the host, because sampling is not
// performance-critical.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gpuvae/random.h"
#include "gpuvae/tensor.h"

namespace gpuvae {

// Returns draws from the negative binomial distributions with the given means and inverse dispersions; an
// infinite inverse dispersion is a Poisson distribution. Where `empty` is given, the count is 0 with that
// probability. All spans have rows * columns elements. A draw depends on the noise's position of its row and
// on its column, like random_uniform(). It is NaN where a parameter is NaN or the mean is infinite.
Tensor count_draws(std::span<const double> mean, std::span<const double> inverse_dispersion,
                   std::span<const double> empty, Shape shape, const Noise& noise, Device device);

}  // namespace gpuvae
