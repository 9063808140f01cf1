// Distributions by name, as flags, option structs and model files give them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gpuvae/vae.h"
#include "kernels/check.h"

namespace gpuvae {

// The names and options from which a model's three distributions are made.
struct DistributionSettings {
  std::string posterior_family = "gaussian";  // see named_posterior
  DiagonalGaussianOptions posterior;
  std::string likelihood = "bernoulli";
  GaussianOptions gaussian;  // of the Gaussian likelihoods
  double sigma = 0.1;        // of "gaussian-fixed"
  std::string prior = "normal";
  int prior_components = 50;
  std::shared_ptr<const Prior> exemplar_prior = {};  // of "exemplar", which needs the training set
};

struct NamedLikelihood {
  std::string name;
  std::string description;      // for the help of --likelihood; may be empty
  std::string decoder_outputs;  // what the decoder computes for each feature
  // Whether x may be any real number; otherwise it must be in [0, 1]. If it may, the mean of the likelihood
  // is the decoder's first output or, if GaussianOptions::sigmoid_mean is set, the sigmoid of that output.
  bool any_number;
  std::shared_ptr<Likelihood> (*make)(const DistributionSettings&);
};

const std::vector<NamedLikelihood>& named_likelihoods();
// Throws Error that lists the names for one that is not in the list, such as "auto".
const NamedLikelihood& named_likelihood(std::string_view name, Origin origin = "likelihood");

// Returns the posterior of a family: "gaussian" (diagonal), "planar:LAYERS", "iaf:LAYERS", "iaf:LAYERS:UNITS"
// or "full" (covariance). `options` are those of the diagonal Gaussian, on which the flows are based. Throws
// Error for any other text, and for "full" with options that are not the defaults.
std::shared_ptr<const Posterior> named_posterior(const std::string& family,
                                                 const DiagonalGaussianOptions& options = {},
                                                 Origin origin = "posterior");

inline constexpr std::int64_t kMaxPriorComponents = 100'000;
// The names of the priors.
const std::vector<std::string>& prior_names();

// Makes the three distributions of `options`. Throws Error for an unknown name or an option out of range.
void set_distributions(const DistributionSettings& settings, VaeOptions& options, Origin origin);

}  // namespace gpuvae
