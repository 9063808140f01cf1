#include "gpuvae/output_bias.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace gpuvae {
namespace {

// Returns the mean of each of the first `features` columns over its values that are not missing. A draw of
// Binarize::fixed or dynamic has the value as its expectation, so that the values themselves give the mean
// without noise.
std::vector<double> feature_means(const Dataset& examples, std::int64_t features, BatchOptions options) {
  constexpr std::int64_t kRows = 1000;
  options.shuffle = false;
  if (options.binarize != Binarize::threshold) options.binarize = Binarize::none;
  const std::int64_t count = examples.count(), batch = std::min(kRows, count);
  const auto batches = static_cast<std::uint64_t>((count + batch - 1) / batch);
  const auto width = static_cast<std::size_t>(features),
             columns = static_cast<std::size_t>(examples.features());
  std::vector<double> means(width), counts(width);
  for (std::uint64_t i = 0; i < batches; ++i) {
    const Tensor x = gather_batch(examples, batch, {.step = i, .steps_per_epoch = batches}, options).x;
    const std::vector<float> values = x.to(Device::cpu()).to_vector();
    for (std::size_t row = 0; row < values.size(); row += columns)
      for (std::size_t c = 0; c < width; ++c)
        if (const float value = values[row + c]; !std::isnan(value)) {
          means[c] += value;
          ++counts[c];
        }
  }
  for (std::size_t c = 0; c < width; ++c) {
    check(counts[c] > 0, "start_output_bias", "expected a value in column {}, got only missing ones", c);
    means[c] /= counts[c];
  }
  return means;
}

}  // namespace

void start_output_bias(const Vae& model, const Dataset& examples, const BatchOptions& options) {
  check(examples.defined() && examples.count() > 0, "start_output_bias", "expected examples, got none");
  const std::int64_t columns = example_columns(model.options());
  check(examples.features() == columns, "start_output_bias", "expected examples of {} features, got {}",
        columns, examples.features());
  const Tensor bias = model.output().bias.value();
  const std::vector<double> outputs =
      model.likelihood().outputs_of_mean(feature_means(examples, model.options().features, options));
  check(static_cast<std::int64_t>(outputs.size()) == bias.elements(), "start_output_bias",
        "expected a likelihood that gives {} outputs for the means of the data, got {} of the likelihood {}",
        bias.elements(), outputs.size(), model.likelihood().name());
  bias.copy_from(Tensor::from(std::vector<float>(outputs.begin(), outputs.end()), bias.shape()));
}

}  // namespace gpuvae
