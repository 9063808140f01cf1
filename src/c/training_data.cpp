#include "src/c/training_data.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "src/io/printable.h"

namespace gpuvae::c {
namespace {

// The kind of the training data, as far as their type and the likelihood tell.
ValueRange range_of(const Dataset& train, const ExampleRules& rules, Binarize binarize) {
  if (train.dtype() == DType::u8) return {ValueKind::bytes, 0, 255, false};
  if (rules.values == LikelihoodValues::unit && binarize != Binarize::threshold)
    return {ValueKind::unit, 0, 1, false};
  const bool counts = rules.values == LikelihoodValues::counts;
  ValueRange range{counts ? ValueKind::counts : ValueKind::any, INFINITY, -INFINITY, false};
  for (const float value : train.examples.to_vector()) {
    if (std::isnan(value)) continue;
    range.low = std::min<double>(range.low, value);
    range.high = std::max<double>(range.high, value);
  }
  return range;
}

DataDescription new_description(const Dataset& features, const ExampleRules& rules, Binarize binarize) {
  DataDescription description;
  description.height = rules.height;
  description.width = rules.width + static_cast<int>(rules.condition.columns);
  description.values = range_of(features, rules, binarize);
  description.missing_values = rules.missing_values;
  description.condition_columns = rules.condition.columns;
  description.condition_classes = rules.condition.classes;
  return description;
}

}  // namespace

TrainingData training_data(const ModelRecord& model, const Dataset& features, const Dataset& examples,
                           const Dataset& validation, Binarize binarize) {
  TrainingData data;
  data.description = model.described ? *model.described : new_description(features, model.rules, binarize);
  data.source = "an array of the C interface";
  data.bytes = examples.dtype() == DType::u8;
  data.train_count = examples.count();
  data.validation_count = validation.defined() ? validation.count() : 0;
  const int classes = model.rules.condition.classes;
  data.labelled = classes > 0;
  data.fingerprint =
      fingerprint_text(classes > 0 ? without_class_codes(examples, classes) : examples, data.description);
  return data;
}

Metadata order_of(const TrainingData& data, const TrainOptions& options) {
  return {{"fingerprint", data.fingerprint},
          {"batch_size", std::to_string(options.batch_size)},
          {"drop_last", options.drop_last ? "true" : "false"},
          {"shuffle", options.data.shuffle ? "true" : "false"},
          {"seed", std::to_string(options.data.seed)}};
}

void check_order(const char* path, const Metadata& metadata, const Metadata& order) {
  for (const auto& [key, value] : order) {
    const auto found = metadata.find(key);
    check(found == metadata.end() || found->second == value, file_error("load"),
          "{}: expected a checkpoint of training with the {} {}, got {}", path, key, value,
          found == metadata.end() ? "none" : io::printable(found->second));
  }
}

}  // namespace gpuvae::c
