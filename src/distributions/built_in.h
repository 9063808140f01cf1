// Recognises built-in distributions, for code that supports only these: the fused training step and exports.
#pragma once

#include <optional>

#include "gpuvae/distributions.h"

namespace gpuvae {

// Returns the settings of a posterior that diagonal_gaussian() made, or null for any other posterior.
const DiagonalGaussianOptions* diagonal_gaussian_options(const Posterior& posterior);

// Whether bernoulli_likelihood() made the likelihood.
bool is_bernoulli(const Likelihood& likelihood);
// Returns the settings of a likelihood that gaussian_likelihood() made, or null for any other likelihood.
const GaussianOptions* gaussian_options(const Likelihood& likelihood);

// How E[x | z] follows from the first `features` columns of a likelihood's parameters.
enum class MeanFormula : std::uint8_t { identity, sigmoid, continuous_bernoulli };
// Returns nothing for a likelihood that the library does not provide.
std::optional<MeanFormula> mean_formula(const Likelihood& likelihood);

}  // namespace gpuvae
