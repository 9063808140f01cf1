#include "gpuvae/output_bias.h"

#include <algorithm>

#include "kernels/check.h"

namespace gpuvae {
namespace {

// Returns the mean of each feature. A draw of Binarize::fixed or dynamic has the value as its expectation, so
// that the values themselves give the mean without noise.
std::vector<double> feature_means(const Dataset& examples, BatchOptions options, Device device) {
  constexpr std::int64_t kRows = 1000;
  options.shuffle = false;
  if (options.binarize != Binarize::threshold) options.binarize = Binarize::none;
  const std::int64_t count = examples.count(), batch = std::min(kRows, count);
  const auto batches = static_cast<std::uint64_t>((count + batch - 1) / batch);
  std::vector<double> means(static_cast<std::size_t>(examples.features()));
  for (std::uint64_t i = 0; i < batches; ++i) {
    const Tensor x = gather_batch(examples, batch, {.step = i, .steps_per_epoch = batches}, options).x;
    const std::vector<float> values = x.to(device).to_vector();
    for (std::size_t at = 0; at < values.size(); ++at) means[at % means.size()] += values[at];
  }
  for (double& mean : means) mean /= static_cast<double>(count);
  return means;
}

}  // namespace

void start_output_bias(const Vae& model, const Dataset& examples, const BatchOptions& options) {
  check(examples.defined() && examples.count() > 0, "start_output_bias", "expected examples, got none");
  check(examples.features() == model.options().features, "start_output_bias",
        "expected examples of {} features, got {}", model.options().features, examples.features());
  const Tensor bias = model.output().bias.value();
  const std::vector<double> outputs =
      model.likelihood().outputs_of_mean(feature_means(examples, options, Device::cpu()));
  check(static_cast<std::int64_t>(outputs.size()) == bias.elements(), "start_output_bias",
        "expected a likelihood that gives {} outputs for the means of the data, got {} of the likelihood {}",
        bias.elements(), outputs.size(), model.likelihood().name());
  bias.copy_from(Tensor::from(std::vector<float>(outputs.begin(), outputs.end()), bias.shape()));
}

}  // namespace gpuvae
