// Distributions by name, as flags, option structs and model files give them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gpuvae/vae.h"
#include "kernels/check.h"
#include "src/distributions/exemplar_slot.h"

namespace gpuvae {

// The names and options from which a model's three distributions are made.
struct DistributionSettings {
  std::string posterior_family = "gaussian";  // see named_posterior
  DiagonalGaussianOptions posterior;
  std::string likelihood = "bernoulli";
  GaussianOptions gaussian;                       // of the Gaussian likelihoods
  double sigma = 0.1;                             // of "gaussian-fixed"
  double log_scale_low = -7, log_scale_high = 2;  // of "logistic-256"
  std::string column_types;                       // of "columns"; see parse_column_types
  double library_reference = 0;                   // of "columns" with a library size; 0 stands for 1
  bool log1p_counts = true;                       // see VaeOptions
  bool missing_values = false;                    // see VaeOptions
  std::string prior = "normal";
  int prior_components = 50;
  std::shared_ptr<const Prior> exemplar_prior = {};  // of "exemplar", which needs the training set
};

// The values for which a likelihood is defined.
enum class LikelihoodValues : std::uint8_t {
  unit,        // numbers in [0, 1]
  any_number,  // real numbers
  bytes,       // bytes, divided by 255
  counts,      // whole numbers of 0 or more
  by_column,   // decided by the type of each column
};

struct NamedLikelihood {
  std::string name;
  std::string description;      // for the help of --likelihood; may be empty
  std::string decoder_outputs;  // what the decoder computes for each feature
  // For any_number and bytes, the mean of the likelihood is the decoder's first output or, if
  // GaussianOptions::sigmoid_mean is set, the sigmoid of that output.
  LikelihoodValues values;
  std::shared_ptr<Likelihood> (*make)(const DistributionSettings&);

  bool is_count() const { return values == LikelihoodValues::counts; }
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

// Whether the data of a likelihood keep their whole numbers: they are never taken as bytes and not
// standardised.
bool keeps_whole_numbers(const DistributionSettings& settings);

// With the prior "exemplar", sets an exemplar prior whose exemplars are known later, and returns their slot.
// Otherwise returns null. Throws Error for fewer than 2 components.
std::shared_ptr<ExemplarSlot> add_exemplar_slot(DistributionSettings& settings);

// Makes the three distributions of `options`, which must have its number of features, and sets what the
// options say about the values. Throws Error for an unknown name or an option out of range.
void set_distributions(const DistributionSettings& settings, VaeOptions& options, Origin origin);

}  // namespace gpuvae
