// Published test log-likelihoods of models on MNIST, to stand beside a measured one.
#pragma once

#include <string>
#include <vector>

#include "apps/report/eval.h"

namespace gpuvae::apps {

struct PublishedValue {
  std::string model;  // "VAE, 784-200-200-50, one sample in training"
  double nll = 0;     // -log p(x), nats per image
  std::string source;
  // In what the run or its evaluation differs from the published protocol, one phrase each; empty if the
  // values are comparable.
  std::vector<std::string> differences = {};
};
// Returns the published values of the run's model: those whose architecture, objective and binarisation are
// the run's. A conditional model has none. Differences of the training and of the evaluation are listed.
std::vector<PublishedValue> published_values(const Session& session, const Evaluation& e);

}  // namespace gpuvae::apps
