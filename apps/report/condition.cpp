#include "apps/report/condition.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <numeric>
#include <optional>

#include "apps/cli/text.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

int class_number(const Session& s, const std::string& text, const char* operation) {
  const std::vector<std::string> names = condition_class_names(s);
  const std::vector<int> numbers = condition_classes(s);
  std::vector<std::string> known;
  for (const int number : numbers) {
    known.push_back(names[static_cast<std::size_t>(number)]);
    if (known.back() == text) return number;
  }
  // Names that are numbers, such as 1.0, are compared as numbers. Other names have numbers in their order.
  const std::optional<double> value = number_in(text);
  const bool numeric =
      std::ranges::any_of(known, [](const std::string& name) { return number_in(name).has_value(); });
  for (std::size_t i = 0; value && i < numbers.size(); ++i)
    if (numeric ? number_in(known[i]) == value : std::to_string(numbers[i]) == text) return numbers[i];
  fail(operation, "expected one of the classes {} as --class, got {}",
       io::printable(fmt::format("{}", fmt::join(known, ", "))), io::printable(text));
}

// A column of the training examples, in the units of the model.
std::vector<double> training_column(const Session& s, std::int64_t column) {
  const Dataset& train = s.train();
  const std::vector<float> rows =
      gather_batch(train, train.count(), {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x.to_vector();
  std::vector<double> values;
  for (std::int64_t i = 0; i < train.count(); ++i)
    values.push_back(rows[static_cast<std::size_t>(i * train.features() + column)]);
  return values;
}

// Whether a column of the condition is not standardised. Python and C write mean 0 and standard deviation 1
// for it.
bool is_unscaled(const Session& s, std::int64_t column) {
  const Standardization& by = s.standardization();
  const auto at = static_cast<std::size_t>(column);
  return by.empty() || (by.mean[at] == 0 && by.stddev[at] == 1);
}

// The mean of a column of the training examples.
double column_mean(const Session& s, std::int64_t column, const char* operation) {
  if (!is_unscaled(s, column)) return 0;
  check(s.has_data(), operation,
        "expected values of the condition's columns (--given) without the training data, got none");
  const std::vector<double> values = training_column(s, column);
  return std::reduce(values.begin(), values.end()) / static_cast<double>(values.size());
}

// Converts a value of a condition's column from the units of the file to those of the model.
double model_value(const Session& s, std::int64_t column, double value) {
  const DataDescription& d = s.description();
  const auto at = static_cast<std::size_t>(column);
  if (!d.standardization.empty())
    return d.standardization.stddev[at] == 0
               ? 0
               : (value - d.standardization.mean[at]) / d.standardization.stddev[at];
  if (d.values.scaled) return (value - d.values.low) / (d.values.high - d.values.low);
  return d.values.kind == ValueKind::bytes && !has_numbers_beside_bytes(s) ? value / 255 : value;
}

// The opposite conversion, except in a constant column.
double file_value(const Session& s, std::int64_t column, double value) {
  const DataDescription& d = s.description();
  const auto at = static_cast<std::size_t>(column);
  if (!d.standardization.empty()) return d.standardization.mean[at] + d.standardization.stddev[at] * value;
  if (d.values.scaled) return d.values.low + (d.values.high - d.values.low) * value;
  return d.values.kind == ValueKind::bytes && !has_numbers_beside_bytes(s) ? 255 * value : value;
}

std::vector<float> column_values(const Session& s, const std::string& given, const char* operation) {
  const DataDescription& d = s.description();
  const std::int64_t first = s.model().options().features;
  const std::vector<std::string> texts = given.empty() ? std::vector<std::string>() : parts_of(given, ',');
  check(texts.empty() || std::ssize(texts) == d.condition_columns, operation,
        "expected {} in --given, got {}", counted(d.condition_columns, "number"), texts.size());
  std::vector<float> values;
  for (std::int64_t i = 0; i < d.condition_columns; ++i) {
    if (texts.empty()) {
      values.push_back(static_cast<float>(column_mean(s, first + i, operation)));
      continue;
    }
    const std::string& text = texts[static_cast<std::size_t>(i)];
    const std::optional<double> value = number_in(text);
    check(value && std::isfinite(*value), operation,
          "expected numbers separated by commas in --given, got {}", io::printable(text));
    values.push_back(static_cast<float>(model_value(s, first + i, *value)));
  }
  return values;
}

}  // namespace

bool is_conditional(const Session& s) { return s.model().options().conditions > 0; }
const char* posterior_name(const Session& s) { return is_conditional(s) ? "q(z | x, y)" : "q(z | x)"; }
const char* decoder_name(const Session& s) { return is_conditional(s) ? "p(x | z, y)" : "p(x | z)"; }
bool has_numbers_beside_bytes(const Session& s) {
  const TrainingData& data = s.data_facts();
  return data.description.values.kind == ValueKind::bytes && data.description.condition_columns > 0 &&
         !data.bytes;
}
bool has_class_condition(const Session& s) { return s.description().condition_classes > 0; }

std::vector<std::string> condition_class_names(const Session& s) {
  std::vector<std::string> names = s.class_names();
  for (int i = static_cast<int>(names.size()); i < s.description().condition_classes; ++i)
    names.push_back(std::to_string(i));
  names.resize(static_cast<std::size_t>(s.description().condition_classes));
  return names;
}

std::vector<int> condition_classes(const Session& s) {
  if (!s.data_facts().class_labels.empty()) return s.data_facts().class_labels;
  std::vector<int> classes(static_cast<std::size_t>(std::max(1, s.description().condition_classes)));
  std::iota(classes.begin(), classes.end(), 0);
  return classes;
}

std::vector<ConditionColumn> condition_columns(const Session& s, const char* operation) {
  const DataDescription& d = s.description();
  std::vector<ConditionColumn> columns;
  for (std::int64_t i = 0; i < d.condition_columns; ++i) {
    const std::int64_t at = s.model().options().features + i;
    // The model file of a table without data says nothing about a column that is not standardised.
    const bool unknown = !s.has_data() && !s.standardization().empty() && is_unscaled(s, at);
    const double mean = unknown ? 0 : column_mean(s, at, operation);
    if (unknown)
      std::fprintf(
          stderr,
          "note    the range of column %lld of the condition is not known: its slider goes from -2 to 2\n",
          static_cast<long long>(i));
    double low = mean - 2, high = mean + 2;
    if (s.has_data()) {
      const std::vector<double> values = training_column(s, at);
      low = std::ranges::min(values);
      high = std::ranges::max(values);
    }
    const double unit = file_value(s, at, 1) - file_value(s, at, 0);
    columns.push_back(
        {d.column_names.empty() ? std::to_string(at) : d.column_names[static_cast<std::size_t>(at)],
         file_value(s, at, low), file_value(s, at, high), file_value(s, at, mean), unit == 0 ? 0 : 1 / unit});
  }
  return columns;
}

void check_given(const Session& s, const GivenCondition& given, const char* operation) {
  check(given.class_name.empty() || has_class_condition(s), operation,
        "expected no --class for a model without classes as condition (--condition label), got {}",
        io::printable(given.class_name));
  check(given.columns.empty() || s.description().condition_columns > 0, operation,
        "expected no --given for a model without columns as condition (--condition NAMES), got {}",
        io::printable(given.columns));
}

std::vector<int> shown_classes(const Session& s, const GivenCondition& given, const char* operation) {
  check_given(s, given, operation);
  if (!given.class_name.empty()) return {class_number(s, given.class_name, operation)};
  return condition_classes(s);
}

Tensor condition_rows(const Session& s, const std::vector<int>& classes, const GivenCondition& given,
                      const char* operation) {
  check_given(s, given, operation);
  if (!is_conditional(s)) return {};
  const std::int64_t conditions = s.model().options().conditions;
  const std::vector<float> columns = column_values(s, given.columns, operation);
  std::vector<float> rows;
  for (const int number : classes) {
    rows.insert(rows.end(), columns.begin(), columns.end());
    for (int i = 0; i < s.description().condition_classes; ++i) rows.push_back(i == number ? 1.0f : 0.0f);
  }
  return Tensor::from(rows, {std::ssize(classes), conditions}, s.model().device());
}

}  // namespace gpuvae::apps
