#include "apps/run/other_data.h"

#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

Dataset load_unscaled(RunConfig c, const std::string& path, const std::string& set,
                      const std::string& labels) {
  c.data = path, c.label_column = labels, c.standardize = false, c.validation_fraction = 0;
  Split split = load_other_data(c);
  return set == "train" || split.test.count() == 0 ? std::move(split.train) : std::move(split.test);
}

}  // namespace

Split load_other_data(const RunConfig& c) {
  if (std::filesystem::path(c.data).extension() == ".mat") return load_frey(c.data);
  DatasetOptions options;
  options.label_column = c.label_column;
  options.standardize = c.standardize;
  options.validation_fraction = c.validation_fraction;
  return load_dataset(c.data, options);
}

// Bernoulli pixels are probabilities.
void check_values(const RunConfig& c, const Dataset& images) {
  if (images.examples.dtype() == DType::u8 || c.likelihood.rfind("gaussian", 0) == 0) return;
  for (const float v : images.examples.to_vector())
    check(v >= 0 && v <= 1, "data",
          "--likelihood {} expects values in [0, 1], got {}: take gaussian with --gaussian-mean identity",
          c.likelihood, v);
}

Dataset load_input(const RunConfig& c, const std::string& path, const std::string& set,
                   const Likeness& like) {
  Dataset images = load_unscaled(c, path, set, "");
  if (images.features() == like.pixels + 1 && !c.label_column.empty())  // so it has the labels' column
    images = load_unscaled(c, path, set, c.label_column);
  check(images.features() == like.pixels, "data",
        "{}: expected {} values each, like the training data, got {}", path, like.pixels, images.features());
  const bool bytes = images.examples.dtype() == DType::u8;
  check(like.bytes || !bytes, "data", "{}: expected floats, like the training data, got bytes", path);
  if (!like.standardization.empty()) standardize(like.standardization, images.examples);
  check_values(c, images);
  return images;
}

}  // namespace gpuvae::apps
