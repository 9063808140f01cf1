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
#include "src/vae/column_types.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

void say_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::fprintf(stderr, "note    %s\n", one_line(note).c_str());
}

// The values that a column may have.
struct AllowedValues {
  double low = -INFINITY, high = INFINITY;
  bool whole = false;
};
AllowedValues allowed_values(LikelihoodValues values) {
  if (values == LikelihoodValues::unit) return {.low = 0, .high = 1};
  if (values == LikelihoodValues::counts) return {.low = 0, .whole = true};
  return {};
}
AllowedValues allowed_values(const std::string& type) {
  if (type == "library") return {.low = 1e-30};
  if (type == "categorical") return {.low = 0, .high = 1, .whole = true};
  return allowed_values(named_likelihood(type).values);
}

// Returns what each column may have; one entry stands for all columns.
std::vector<AllowedValues> allowed_columns(const DistributionSettings& d) {
  const LikelihoodValues values = named_likelihood(d.likelihood).values;
  if (values != LikelihoodValues::by_column) return {allowed_values(values)};
  std::vector<AllowedValues> columns;
  for (const ColumnType& t : parse_column_types(d.column_types, "data"))
    columns.insert(columns.end(), static_cast<std::size_t>(t.columns), allowed_values(t.type));
  return columns;
}

// Throws Error with advice for a value that the likelihood does not allow.
[[noreturn]] void refuse_value(const DistributionSettings& d, float value, std::size_t column) {
  const LikelihoodValues values = named_likelihood(d.likelihood).values;
  check(values != LikelihoodValues::unit, "data",
        "--likelihood {} expects values in [0, 1], got {}: scale them with --value-range LOW:HIGH, or use "
        "--likelihood gaussian with --gaussian-mean identity",
        d.likelihood, value);
  check(values != LikelihoodValues::counts, "data",
        "--likelihood {} expects counts, whole numbers of 0 or more, got {}", d.likelihood, value);
  fail("data", "--column-types {} does not allow {} in column {} (from 0)", d.column_types, value, column);
}

}  // namespace

Split load_other_data(const RunConfig& c) {
  DatasetOptions options;
  options.label_column = c.data.label_column;
  options.header = c.data.header;
  options.variable = c.data.variable;
  options.columns = parse_columns(c.data.columns);
  options.counts = keeps_whole_numbers(c.distributions);
  options.missing_values = c.distributions.missing_values;
  options.standardize = c.data.standardize && !options.counts;
  options.value_range = parse_value_range(c.data.value_range);
  options.validation_fraction = c.data.validation_fraction;
  options.placement = c.data.placement;
  return load_dataset(c.data.path, options);
}

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

std::string scaling_advice(const DataDescription& d) {
  constexpr double kFar = 10;
  const ValueRange& v = d.values;
  const bool as_they_are = d.standardization.empty() && !v.scaled && v.kind != ValueKind::bytes;
  if (!as_they_are || !(std::max(std::abs(v.low), std::abs(v.high)) > kFar)) return "";
  return fmt::format(
      "values from {:.7g} to {:.7g} can make training diverge: --value-range {:.7g}:{:.7g} scales them to "
      "[0, 1]{}",
      v.low, v.high, v.low, v.high,
      d.height > 1 ? "" : ", --standardize scales every column to mean 0 and standard deviation 1");
}

void say_data(const Split& split) {
  std::fprintf(stderr, "values  %s\n", describe(split.description.values).c_str());
  if (const std::string advice = scaling_advice(split.description); !advice.empty()) say_notes({advice});
  say_notes(split.notes);
}

void standardize_columns(Split& split, const std::string& column_types) {
  check(split.train.examples && split.test.examples, "data",
        "--column-types expects --data-placement memory, got examples that stay in a file");
  check(split.train.dtype() == DType::f32, "data", "expected numbers with --column-types, got bytes");
  const Tensor& train = split.train.examples;
  const auto columns = static_cast<std::size_t>(split.train.features());
  Standardization by{std::vector<double>(columns, 0.0), std::vector<double>(columns, 1.0)};
  std::size_t first = 0;
  for (const ColumnType& t : parse_column_types(column_types, "data")) {
    const std::size_t end = std::min(first + static_cast<std::size_t>(t.columns), columns);
    for (std::size_t c = first; c < end && (t.type == "gaussian" || t.type == "laplace"); ++c) {
      double sum = 0, squares = 0, count = 0;
      const auto each = [&](const auto& use) {
        for (std::size_t i = c; i < static_cast<std::size_t>(train.elements()); i += columns)
          if (const double v = train.data_as<float>()[i]; !std::isnan(v)) use(v);
      };
      each([&](double v) { sum += v, ++count; });
      by.mean[c] = count > 0 ? sum / count : 0;
      each([&](double v) { squares += (v - by.mean[c]) * (v - by.mean[c]); });
      by.stddev[c] = count > 0 ? std::sqrt(squares / count) : 0;
    }
    first = end;
  }
  standardize(by, train);
  standardize(by, split.test.examples);
  split.description.standardization = std::move(by);
  split.description.values.kind = ValueKind::standardized;
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

// Not every likelihood is defined for all numbers.
void check_values(const RunConfig& c, const Dataset& images) {
  const DistributionSettings& d = c.distributions;
  const LikelihoodValues values = named_likelihood(d.likelihood).values;
  const bool bytes = images.dtype() == DType::u8;
  check(values != LikelihoodValues::bytes || bytes, "data",
        "--likelihood {} expects bytes, whole numbers from 0 to 255, got other numbers", d.likelihood);
  check(values != LikelihoodValues::bytes || c.training.data.binarize == Binarize::none, "data",
        "--likelihood {} expects --binarize none, got {}", d.likelihood, name(c.training.data.binarize));
  check(!bytes || !keeps_whole_numbers(d), "data", "--likelihood {} expects counts, got bytes", d.likelihood);
  if (bytes || values == LikelihoodValues::any_number) return;
  if (values == LikelihoodValues::by_column && d.missing_values) {
    const std::vector<ColumnType> types = parse_column_types(d.column_types, "data");
    data::for_parts(images, [&](const Tensor& part, std::int64_t first) {
      check_categories(types, part, first, "data");
    });
  }
  const std::vector<AllowedValues> allowed = allowed_columns(d);
  const auto columns = static_cast<std::size_t>(images.features());
  check(allowed.size() == 1 || allowed.size() == columns, "data",
        "--column-types {} has types for {} columns, expected {}", d.column_types, allowed.size(), columns);
  data::for_parts(images, [&](const Tensor& part, std::int64_t) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(part.elements()); ++i) {
      const float v = part.data_as<float>()[i];
      if (std::isnan(v)) continue;
      const AllowedValues& a = allowed.size() == 1 ? allowed[0] : allowed[i % columns];
      if (!(v >= a.low && v <= a.high && (!a.whole || v == std::trunc(v)))) refuse_value(d, v, i % columns);
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
  check_values(c, images);
  return std::move(images);
}

}  // namespace gpuvae::apps
