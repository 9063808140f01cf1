#include "apps/run/other_data.h"

#include "apps/cli/likelihoods.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

Dataset load_unscaled(RunConfig c, const std::string& path, const std::string& set, const std::string& labels,
                      std::int64_t features) {
  c.data.path = path;
  c.data.label_column = labels;
  c.data.standardize = false;
  c.data.validation_fraction = 0;
  Split split = load_other_data(c, features);
  return set == "train" || split.test.count() == 0 ? std::move(split.train) : std::move(split.test);
}

}  // namespace

Split load_other_data(const RunConfig& c, std::int64_t features) {
  DatasetOptions options;
  options.label_column = c.data.label_column;
  options.variable = c.data.variable;
  options.features = features;
  options.standardize = c.data.standardize;
  options.validation_fraction = c.data.validation_fraction;
  return load_dataset(c.data.path, options);
}

// Not every likelihood is defined for numbers outside [0, 1].
void check_values(const RunConfig& c, const Dataset& images) {
  if (images.examples.dtype() == DType::u8 || named_likelihood(c.distributions.likelihood).any_number) return;
  for (const float v : images.examples.to_vector())
    check(v >= 0 && v <= 1, "data",
          "--likelihood {} expects values in [0, 1], got {}: use --likelihood gaussian with --gaussian-mean "
          "identity",
          c.distributions.likelihood, v);
}

Dataset load_input(const RunConfig& c, const std::string& path, const std::string& set,
                   const Likeness& like) {
  Dataset images = load_unscaled(c, path, set, "", like.pixels);
  if (images.features() == like.pixels + 1 && !c.data.label_column.empty())  // it has the label column
    images = load_unscaled(c, path, set, c.data.label_column, like.pixels);
  check(images.features() == like.pixels, "data",
        "{}: expected {} values per row, like the training data, got {}", path, like.pixels,
        images.features());
  const bool bytes = images.examples.dtype() == DType::u8;
  check(like.bytes || !bytes, "data",
        "{}: expected floating-point numbers, like the training data, got bytes", path);
  if (!like.standardization.empty()) standardize(like.standardization, images.examples);
  check_values(c, images);
  return images;
}

}  // namespace gpuvae::apps
