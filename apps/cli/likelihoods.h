// The likelihoods p(x | z) that --likelihood names, and what the programs know about each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

struct NamedLikelihood {
  std::string name;
  std::string description;      // for the help of --likelihood; may be empty
  std::string decoder_outputs;  // what the decoder computes for each feature
  // Whether x may be any real number; otherwise it must be in [0, 1]. If it may, the mean of the likelihood
  // is the decoder's first output or, with --gaussian-mean sigmoid, the sigmoid of that output.
  bool any_number;
  std::shared_ptr<Likelihood> (*make)(const DistributionSettings&);
};

const std::vector<NamedLikelihood>& named_likelihoods();
// Throws Error for a name that is not in the list, such as "auto".
const NamedLikelihood& named_likelihood(const std::string& name);

}  // namespace gpuvae::apps
