#include "src/vae/named_distributions.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "src/io/printable.h"

namespace gpuvae {

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

const NamedLikelihood& named_likelihood(std::string_view name, Origin origin) {
  std::vector<std::string_view> names;
  for (const NamedLikelihood& likelihood : named_likelihoods()) {
    if (likelihood.name == name) return likelihood;
    names.push_back(likelihood.name);
  }
  fail(origin, "expected one of {} as likelihood, got {}", fmt::join(names, ", "),
       io::printable(std::string(name)));
}

const std::vector<std::string>& prior_names() {
  static const std::vector<std::string> names = {"normal", "mixture", "vamp"};
  return names;
}

void set_distributions(const DistributionSettings& s, VaeOptions& options, Origin origin) {
  options.posterior = diagonal_gaussian(s.posterior);
  options.likelihood = named_likelihood(s.likelihood, origin).make(s);
  check(s.prior_components >= 1 && s.prior_components <= kMaxPriorComponents, origin,
        "expected 1 to {} components of the prior, got {}", kMaxPriorComponents, s.prior_components);
  check(std::ranges::find(prior_names(), s.prior) != prior_names().end(), origin,
        "expected one of {} as prior, got {}", fmt::join(prior_names(), ", "), io::printable(s.prior));
  if (s.prior == "normal") options.prior = standard_normal_prior();
  if (s.prior == "mixture") options.prior = gaussian_mixture_prior(s.prior_components);
  if (s.prior == "vamp") options.prior = vamp_prior(s.prior_components, s.gaussian.sigmoid_mean);
}

}  // namespace gpuvae
