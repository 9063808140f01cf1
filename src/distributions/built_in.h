// Recognises built-in distributions, for the fused training step, exported models and objectives, which
// support only some of them.
#pragma once

#include <optional>

#include "gpuvae/distributions.h"
#include "kernels/math/elementwise.h"

namespace gpuvae {

// Returns the settings of a posterior that diagonal_gaussian() made, or null for any other posterior.
const DiagonalGaussianOptions* diagonal_gaussian_options(const Posterior& posterior);

// Whether planar_posterior() or autoregressive_posterior() made the posterior.
bool is_flow(const Posterior& posterior);

// Whether bernoulli_likelihood() made the likelihood.
bool is_bernoulli(const Likelihood& likelihood);
// Returns the settings of a likelihood that gaussian_likelihood() made, or null for any other likelihood.
const GaussianOptions* gaussian_options(const Likelihood& likelihood);
// Returns the function that maps the first parameter of a feature to its mean, or nothing for a likelihood
// that is not built in.
std::optional<kernels::Unary> mean_function(const Likelihood& likelihood);
// mean_function() for the likelihoods of bytes and counts.
std::optional<kernels::Unary> discrete_mean_function(const Likelihood& likelihood);

}  // namespace gpuvae
