// Recognises built-in distributions, for the fused training step, whose kernels support only some of them.
#pragma once

#include "gpuvae/distributions.h"

namespace gpuvae {

// Returns the settings of a posterior that diagonal_gaussian() made, or null for any other posterior.
const DiagonalGaussianOptions* diagonal_gaussian_options(const Posterior& posterior);

// Whether bernoulli_likelihood() made the likelihood.
bool is_bernoulli(const Likelihood& likelihood);
// Returns the settings of a likelihood that gaussian_likelihood() made, or null for any other likelihood.
const GaussianOptions* gaussian_options(const Likelihood& likelihood);

}  // namespace gpuvae
