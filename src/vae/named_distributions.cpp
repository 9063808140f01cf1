#include "src/vae/named_distributions.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "src/io/printable.h"
#include "src/vae/column_types.h"

namespace gpuvae {
namespace {

DiscretizedLogisticOptions logistic_options(const DistributionSettings& s) {
  return {.sigmoid_location = s.gaussian.sigmoid_mean, .low = s.log_scale_low, .high = s.log_scale_high};
}

std::shared_ptr<Likelihood> likelihood_of_columns(const DistributionSettings& s) {
  std::vector<ColumnBlock> blocks;
  for (const ColumnType& t : parse_column_types(s.column_types, "likelihood")) {
    if (t.type == "library")
      blocks.push_back({nullptr, t.columns});
    else if (t.type == "categorical")
      blocks.push_back({categorical_likelihood({t.columns}), t.columns});
    else
      blocks.push_back({named_likelihood(t.type).make(s), t.columns});
  }
  return product_likelihood(std::move(blocks), s.library_reference > 0 ? s.library_reference : 1);
}

}  // namespace

const std::vector<NamedLikelihood>& named_likelihoods() {
  using Settings = DistributionSettings;
  static const std::vector<NamedLikelihood> all = {
      {"bernoulli", "", "logits", LikelihoodValues::unit,
       [](const Settings&) { return bernoulli_likelihood(); }},
      {"continuous-bernoulli", "a density on [0, 1]", "logits", LikelihoodValues::unit,
       [](const Settings&) { return continuous_bernoulli_likelihood(); }},
      {"gaussian", "with a variance per pixel", "mean, log variance", LikelihoodValues::any_number,
       [](const Settings& s) { return gaussian_likelihood(s.gaussian); }},
      {"laplace", "with a scale per pixel", "location, log scale", LikelihoodValues::any_number,
       [](const Settings& s) { return laplace_likelihood({.sigmoid_location = s.gaussian.sigmoid_mean}); }},
      {"gaussian-shared", "with one learned variance for all pixels", "mean", LikelihoodValues::any_number,
       [](const Settings& s) { return shared_gaussian_likelihood(s.gaussian); }},
      {"gaussian-fixed", "with the standard deviation --sigma", "mean", LikelihoodValues::any_number,
       [](const Settings& s) { return fixed_gaussian_likelihood(s.sigma, s.gaussian.sigmoid_mean); }},
      {"logistic-256", "discretised, of bytes; losses are comparable as bits per dimension",
       "location, log scale", LikelihoodValues::bytes,
       [](const Settings& s) { return discretized_logistic_likelihood(logistic_options(s)); }},
      {"poisson", "of counts", "log mean", LikelihoodValues::counts,
       [](const Settings&) { return poisson_likelihood(); }},
      {"negative-binomial", "of counts, with a learned dispersion per column", "log mean",
       LikelihoodValues::counts, [](const Settings&) { return negative_binomial_likelihood(); }},
      {"zero-inflated-negative-binomial", "of counts", "log mean, gate", LikelihoodValues::counts,
       [](const Settings&) { return zero_inflated_negative_binomial_likelihood(); }},
      {"columns", "a product, see --column-types", "parameters by column", LikelihoodValues::by_column,
       likelihood_of_columns},
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

namespace {

constexpr int kMaxFlowLayers = 1000;
constexpr int kMaxFlowUnits = 1'000'000;

// Reads a whole number from 1 to `most`, or returns 0.
int positive(std::string_view text, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number >= 1 && number <= most ? number : 0;
}

}  // namespace

std::shared_ptr<const Posterior> named_posterior(const std::string& family,
                                                 const DiagonalGaussianOptions& options, Origin origin) {
  const std::size_t colon = family.find(':');
  const std::string kind = family.substr(0, colon);
  const std::string_view rest =
      colon == std::string::npos ? std::string_view() : std::string_view(family).substr(colon + 1);
  if (family == "gaussian") return diagonal_gaussian(options);
  if (family == "full") {
    const DiagonalGaussianOptions usual;
    check(
        options.scale == usual.scale && options.noise_std == usual.noise_std, origin,
        "expected log_variance as posterior scale and a noise_std of 1 for the posterior full, got {} and {}",
        name(options.scale), options.noise_std);
    return full_covariance_posterior();
  }
  if (kind == "planar")
    if (const int layers = positive(rest, kMaxFlowLayers)) return planar_posterior(layers, options);
  if (kind == "iaf") {
    const std::size_t second = rest.find(':');
    const int layers = positive(rest.substr(0, second), kMaxFlowLayers);
    const bool has_units = second != std::string_view::npos;
    const int units = has_units ? positive(rest.substr(second + 1), kMaxFlowUnits) : 200;
    if (layers > 0 && units > 0) return autoregressive_posterior(layers, units, options);
  }
  fail(origin,
       "expected gaussian, planar:LAYERS, iaf:LAYERS, iaf:LAYERS:UNITS or full as posterior, with 1 to "
       "{} layers, got {}",
       kMaxFlowLayers, io::printable(family));
}

const std::vector<std::string>& prior_names() {
  static const std::vector<std::string> names = {"normal", "mixture", "vamp", "exemplar"};
  return names;
}

bool keeps_whole_numbers(const DistributionSettings& s) {
  if (s.likelihood == "auto") return !s.column_types.empty();
  const LikelihoodValues values = named_likelihood(s.likelihood).values;
  return values == LikelihoodValues::counts || values == LikelihoodValues::by_column;
}

std::shared_ptr<ExemplarSlot> add_exemplar_slot(DistributionSettings& s) {
  if (s.prior != "exemplar") return nullptr;
  auto slot = std::make_shared<ExemplarSlot>(s.prior_components);
  s.exemplar_prior = exemplar_prior(slot);
  return slot;
}

void set_distributions(const DistributionSettings& s, VaeOptions& options, Origin origin) {
  check(s.column_types.empty() || s.likelihood == "columns", origin,
        "expected the likelihood columns with column types, got {}", io::printable(s.likelihood));
  check(!s.column_types.empty() || s.likelihood != "columns", origin,
        "expected column types with the likelihood columns, got none");
  options.posterior = named_posterior(s.posterior_family, s.posterior, origin);
  options.likelihood = named_likelihood(s.likelihood, origin).make(s);
  static_cast<void>(options.likelihood->outputs(options.features));  // throws Error if it does not fit
  options.missing_values = s.missing_values;
  options.log1p_counts = s.log1p_counts && keeps_whole_numbers(s);
  check(s.prior_components >= 1 && s.prior_components <= kMaxPriorComponents, origin,
        "expected 1 to {} components of the prior, got {}", kMaxPriorComponents, s.prior_components);
  check(std::ranges::find(prior_names(), s.prior) != prior_names().end(), origin,
        "expected one of {} as prior, got {}", fmt::join(prior_names(), ", "), io::printable(s.prior));
  if (s.prior == "normal") options.prior = standard_normal_prior();
  if (s.prior == "mixture") options.prior = gaussian_mixture_prior(s.prior_components);
  if (s.prior == "exemplar") {
    check(s.exemplar_prior != nullptr, origin, "expected the training set for the exemplar prior, got none");
    options.prior = s.exemplar_prior;
  }
  if (s.prior == "vamp") options.prior = vamp_prior(s.prior_components, s.gaussian.sigmoid_mean);
}

}  // namespace gpuvae
