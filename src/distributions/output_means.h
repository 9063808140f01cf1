// The parameters of a likelihood that give its features certain means (Likelihood::outputs_of_mean).
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace gpuvae {

// Means closer to 0 or 1 would start at probabilities from which single examples of the other value are
// hardly possible.
inline double clipped_mean(double mean) { return std::clamp(mean, 0.001, 0.999); }

// The parameters of means that are the sigmoids of their parameters, or the parameters themselves, followed
// by zeros for the further parameters of each feature.
inline std::vector<double> location_outputs(std::span<const double> means, bool is_sigmoid,
                                            int params_per_feature) {
  std::vector<double> outputs(means.begin(), means.end());
  if (is_sigmoid)
    for (double& m : outputs) m = std::log(clipped_mean(m)) - std::log1p(-clipped_mean(m));
  outputs.resize(means.size() * static_cast<std::size_t>(params_per_feature));
  return outputs;
}

}  // namespace gpuvae
