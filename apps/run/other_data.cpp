#include "apps/run/other_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

#include "apps/cli/data_flags.h"
#include "apps/cli/text.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/data/parts.h"
#include "src/data/values.h"
#include "src/io/printable.h"
#include "src/vae/column_rules.h"
#include "src/vae/column_types.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

void say_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::fprintf(stderr, "note    %s\n", one_line(note).c_str());
}

// The values that a likelihood allows.
struct AllowedValues {
  double low = -INFINITY, high = INFINITY;
  bool whole = false;
};
AllowedValues allowed_values(LikelihoodValues values) {
  if (values == LikelihoodValues::unit) return {.low = 0, .high = 1};
  if (values == LikelihoodValues::counts) return {.low = 0, .whole = true};
  return {};
}

// Whether a likelihood that is given expects numbers in [0, 1], which standardised columns are not.
bool expects_unit_values(const DistributionSettings& d) {
  return d.likelihood != "auto" && named_likelihood(d.likelihood).values == LikelihoodValues::unit;
}

// Throws Error with advice for a value that the likelihood does not allow.
[[noreturn]] void refuse_value(const DistributionSettings& d, float value) {
  const LikelihoodValues values = named_likelihood(d.likelihood).values;
  check(values != LikelihoodValues::unit, "data",
        "--likelihood {} expects values in [0, 1], got {}: scale them with --value-range LOW:HIGH, or use "
        "--likelihood gaussian with --gaussian-mean identity",
        d.likelihood, value);
  fail("data", "--likelihood {} expects counts, whole numbers of 0 or more, got {}", d.likelihood, value);
}

// Whether numbers are bytes divided by 255, which data with missing values hold in the place of bytes.
bool are_scaled_bytes(const Dataset& images, std::int64_t features) {
  bool all = true;
  data::for_parts(images, [&](const Tensor& part, std::int64_t) {
    for (std::int64_t i = 0; i < part.elements(); ++i) {
      if (i % part.shape()[1] >= features) continue;
      const float v = part.data_as<float>()[i], byte = 255 * v;
      all &= std::isnan(v) || (v >= 0 && v <= 1 && std::abs(byte - std::round(byte)) < 1e-3f);
    }
  });
  return all;
}

}  // namespace

DatasetOptions data_options(const RunConfig& c) {
  DatasetOptions options;
  options.label_column = c.data.label_column;
  options.header = c.data.header;
  options.variable = c.data.variable;
  options.columns = parse_columns(c.data.columns);
  options.counts = keeps_whole_numbers(c.distributions);
  options.missing_values = c.distributions.missing_values;
  options.standardize = c.data.standardize && !options.counts && !expects_unit_values(c.distributions);
  options.value_range = parse_value_range(c.data.value_range);
  options.validation_fraction = c.data.validation_fraction;
  options.placement = c.data.placement;
  return options;
}

Split load_other_data(const RunConfig& c) { return load_dataset(c.data.path, data_options(c)); }

void refuse_data_flags(const RunConfig& c) {
  const auto refuse = [](bool given, const char* flag) {
    check(!given, "data", "expected --data with {}, got the program's own data set", flag);
  };
  refuse(c.data.header != Header::automatic, "--header");
  refuse(!c.data.columns.empty(), "--columns");
  refuse(!c.data.value_range.empty(), "--value-range");
  refuse(!c.data.variable.empty(), "--variable");
  refuse(!c.data.label_column.empty(), "--label-column");
  refuse(c.data.standardize, "--standardize");
  refuse(c.distributions.missing_values, "--missing-values");
  refuse(!c.data.library_size.empty(), "--library-size");
  refuse(!c.distributions.column_types.empty(), "--column-types");
  refuse(c.data.validation_fraction != DataSettings().validation_fraction, "--validation-fraction");
}

std::string scaling_advice(const DataDescription& d, const RunConfig& c) {
  constexpr double kFar = 10;
  if (c.data.path.empty() || keeps_whole_numbers(c.distributions)) return "";
  const ValueRange& v = d.values;
  const bool as_they_are = d.standardization.empty() && !v.scaled && v.kind != ValueKind::bytes;
  if (!as_they_are || !(std::max(std::abs(v.low), std::abs(v.high)) > kFar)) return "";
  return fmt::format(
      "values from {:.7g} to {:.7g} can make training diverge: --value-range {:.7g}:{:.7g} scales them to "
      "[0, 1]{}",
      v.low, v.high, v.low, v.high,
      d.height > 1 ? "" : ", --standardize scales every column to mean 0 and standard deviation 1");
}

void say_data(const Split& split, const RunConfig& c) {
  std::fprintf(stderr, "values  %s\n", describe(split.description.values).c_str());
  if (const std::string advice = scaling_advice(split.description, c); !advice.empty()) say_notes({advice});
  say_notes(split.notes);
}

void standardize_columns(Split& split, const RunConfig& c) {
  const std::string& column_types = c.distributions.column_types;
  check(split.train.examples && split.test.examples, "data",
        "{} expects --data-placement memory, got examples that stay in {}",
        c.data.library_size.empty() ? "--column-types" : "--library-size", split.source);
  check(split.train.dtype() == DType::f32, "data", "expected numbers with --column-types, got bytes");
  const Tensor& train = split.train.examples;
  const auto columns = static_cast<std::size_t>(split.train.features());
  Standardization by{std::vector<double>(columns, 0.0), std::vector<double>(columns, 1.0)};
  const auto add_column = [&](std::size_t c) {
    const auto [mean, stddev] = data::column_moments(train, static_cast<std::int64_t>(c));
    // The rows are f32 already, whose rounding would be more than a thousandth of the column's deviation.
    const double rounding = std::abs(mean) * 0x1p-24;
    const std::vector<std::string>& names = split.description.column_names;
    check(
        !(rounding > 1e-3 * stddev) || (stddev == 0 && rounding < 1), "data",
        "column {}: expected values whose differences single precision can hold, got a mean of {:.10g} and a "
        "standard deviation of {:.3g}: subtract a constant from the column",
        names.empty() ? std::to_string(c) : io::printable(names[c]), mean, stddev);
    by.mean[c] = mean;
    by.stddev[c] = stddev;
  };
  const std::size_t features = columns - static_cast<std::size_t>(split.description.condition_columns);
  std::size_t first = 0;
  for (const ColumnType& t : parse_column_types(column_types, "data")) {
    const std::size_t end = std::min(first + static_cast<std::size_t>(t.columns), features);
    for (std::size_t c = first; c < end && (t.type == "gaussian" || t.type == "laplace"); ++c) add_column(c);
    first = end;
  }
  for (std::size_t c = features; c < columns; ++c) add_column(c);
  standardize(by, train);
  standardize(by, split.test.examples);
  split.description.standardization = std::move(by);
  const std::vector<ColumnType> types = parse_column_types(column_types, "data");
  const bool any =
      split.description.condition_columns > 0 || std::ranges::any_of(types, [](const ColumnType& t) {
        return t.type == "gaussian" || t.type == "laplace";
      });
  if (any) split.description.values.kind = ValueKind::standardized;
}

double mean_library_size(const Dataset& train, std::int64_t column) {
  double sum = 0, count = 0;
  data::for_parts(train, [&](const Tensor& part, std::int64_t) {
    for (std::int64_t i = column; i < part.elements(); i += part.shape()[1])
      if (const double v = part.data_as<float>()[i]; !std::isnan(v)) sum += v, ++count;
  });
  check(sum > 0, "data", "expected library sizes above 0 in column {} (from 0), got a mean of {}", column,
        count > 0 ? sum / count : 0);
  return sum / count;
}

DataDescription without_condition(DataDescription d) {
  if (d.condition_columns == 0) return d;
  const auto features = static_cast<std::size_t>(d.width - d.condition_columns);
  d.width = static_cast<int>(features);
  if (!d.column_names.empty()) d.column_names.resize(features);
  if (!d.standardization.empty()) {
    d.standardization.mean.resize(features);
    d.standardization.stddev.resize(features);
  }
  d.condition_columns = 0;
  return d;
}

// The decoder gets the condition as it is, so that a missing one would make the loss NaN.
void check_conditions(const Dataset& images, const DataDescription& d, const std::string& source) {
  if (d.condition_columns == 0 || !images.defined() || images.dtype() == DType::u8) return;
  const auto name_of = [&](std::int64_t c) {
    return d.column_names.empty() ? std::to_string(c)
                                  : io::printable(d.column_names[static_cast<std::size_t>(c)]);
  };
  data::for_parts(images, [&](const Tensor& part, std::int64_t start) {
    const std::int64_t columns = part.shape()[1], first = d.width - d.condition_columns;
    for (std::int64_t row = 0; row < part.shape()[0]; ++row)
      for (std::int64_t c = first; c < d.width; ++c)
        if (std::isnan(part.data_as<float>()[row * columns + c]))
          fail("data", "{}: expected a value of the condition {} in each row, got none in row {} (from 0)",
               source, name_of(c), images.row_number(start + row));
  });
}

// Not every likelihood is defined for all numbers.
void check_values(const RunConfig& c, const Dataset& images, const DataDescription& of_images) {
  const DistributionSettings& d = c.distributions;
  const LikelihoodValues values = named_likelihood(d.likelihood).values;
  const bool bytes = images.dtype() == DType::u8;
  const DataDescription of_features = without_condition(of_images);
  const std::int64_t features = std::int64_t{of_features.height} * of_features.width;
  check(
      values != LikelihoodValues::bytes || bytes || (d.missing_values && are_scaled_bytes(images, features)),
      "data", "--likelihood {} expects bytes, whole numbers from 0 to 255, got other numbers", d.likelihood);
  check(values != LikelihoodValues::bytes || c.training.data.binarize == Binarize::none, "data",
        "--likelihood {} expects --binarize none, got {}", d.likelihood, name(c.training.data.binarize));
  check(!bytes || !keeps_whole_numbers(d), "data", "--likelihood {} expects counts, got bytes", d.likelihood);
  const Binarize binarize = c.training.data.binarize;
  check(bytes || (binarize != Binarize::fixed && binarize != Binarize::dynamic), "data",
        "--binarize {} draws the pixels of byte images, got other numbers: use --binarize threshold or none",
        name(binarize));
  if (bytes || values == LikelihoodValues::any_number || values == LikelihoodValues::bytes) return;
  if (values == LikelihoodValues::by_column) {
    const ColumnRules rules(d.column_types, "data");
    check(rules.columns() == features, "data", "--column-types {} has types for {} columns, expected {}",
          d.column_types, rules.columns(), features);
    data::for_parts(images, [&](const Tensor& part, std::int64_t first) {
      rules.check_rows(
          part, [&](std::int64_t row) { return images.row_number(first + row); }, "data");
    });
    return;
  }
  const AllowedValues allowed = allowed_values(values);
  data::for_parts(images, [&](const Tensor& part, std::int64_t) {
    for (std::int64_t i = 0; i < part.elements(); ++i) {
      const float v = part.data_as<float>()[i];
      if (i % part.shape()[1] >= features || std::isnan(v)) continue;
      if (!(v >= allowed.low && v <= allowed.high && (!allowed.whole || v == std::trunc(v))))
        refuse_value(d, v);
    }
  });
}

Dataset load_input(const RunConfig& c, const std::string& path, const std::string& set,
                   const DataDescription& like) {
  Split split = load_like(path, like, c.data.header, c.data.variable, c.data.placement);
  say_notes(split.notes);
  const bool takes_train = set == "train" || split.test.count() == 0;
  Dataset& images = takes_train ? split.train : split.test;
  if (split.test.count() > 0)
    say_notes({fmt::format("{}: uses the {} of the {} set (--set {} chooses the others)", path,
                           counted(images.count(), like.height > 1 ? "image" : "row"),
                           takes_train ? "training" : "validation", takes_train ? "validation" : "train")});
  check_conditions(images, like, path);
  check_values(c, images, like);
  return std::move(images);
}

}  // namespace gpuvae::apps
