// Recognises the library's own distributions, for executors whose kernels compute a whole training step.
#pragma once

#include "gpuvae/distributions.h"

namespace gpuvae {

// The settings of a posterior that diagonal_gaussian() made; null for any other.
const DiagonalGaussianOptions* diagonal_gaussian_options(const Posterior& posterior);

// Whether bernoulli_likelihood() made it.
bool is_bernoulli(const Likelihood& likelihood);
// The settings of a likelihood that gaussian_likelihood() made; null for any other.
const GaussianOptions* gaussian_options(const Likelihood& likelihood);

}  // namespace gpuvae
