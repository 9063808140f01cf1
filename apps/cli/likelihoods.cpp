#include "apps/cli/likelihoods.h"

#include "gpuvae/error.h"

namespace gpuvae::apps {

const std::vector<NamedLikelihood>& named_likelihoods() {
  using Settings = DistributionSettings;
  static const std::vector<NamedLikelihood> all = {
      {"bernoulli", "", "logits", false, [](const Settings&) { return bernoulli_likelihood(); }},
      {"continuous-bernoulli", "a density on [0, 1]", "logits", false,
       [](const Settings&) { return continuous_bernoulli_likelihood(); }},
      {"gaussian", "with a variance per pixel", "mean, log variance", true,
       [](const Settings& s) { return gaussian_likelihood(s.gaussian); }},
      {"laplace", "with a scale per pixel", "location, log scale", true,
       [](const Settings& s) { return laplace_likelihood({.sigmoid_location = s.gaussian.sigmoid_mean}); }},
      {"gaussian-shared", "with one learned variance for all pixels", "mean", true,
       [](const Settings& s) { return shared_gaussian_likelihood(s.gaussian); }},
      {"gaussian-fixed", "with the standard deviation --sigma", "mean", true,
       [](const Settings& s) { return fixed_gaussian_likelihood(s.sigma, s.gaussian.sigmoid_mean); }},
  };
  return all;
}

const NamedLikelihood& named_likelihood(const std::string& name) {
  for (const NamedLikelihood& likelihood : named_likelihoods())
    if (likelihood.name == name) return likelihood;
  throw Error("likelihood", "expected a name of --likelihood, got " + name);
}

}  // namespace gpuvae::apps
