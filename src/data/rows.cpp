#include "src/data/rows.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "gpuvae/device/random.h"
#include "kernels/check.h"
#include "src/data/file_examples.h"
#include "src/data/parts.h"
#include "src/data/values.h"
#include "src/io/table_cells.h"

namespace gpuvae::data {
namespace {

// This value replaces the epoch in the shuffle, so that the split differs from the order of every epoch with
// the same seed.
constexpr std::uint64_t kSplitEpoch = ~std::uint64_t{0};

void keep_first(Rows& rows, std::int64_t most) {
  if (most == 0 || rows.count() <= most) return;
  const auto kept = static_cast<std::size_t>(most);
  const std::size_t size = kept * rows.row_size();
  std::visit([&](auto& values) { values.resize(size); }, rows.values);
  if (!rows.labels.empty()) rows.labels.resize(kept);
}

// Returns one flag per row: true for validation rows.
std::vector<bool> choose(std::int64_t count, const DatasetOptions& options) {
  std::vector<bool> chosen(static_cast<std::size_t>(count), false);
  if (options.validation_fraction == 0) return chosen;
  const auto wanted = std::clamp<std::int64_t>(
      std::llround(static_cast<double>(count) * options.validation_fraction), 1, count - 1);
  for (std::uint32_t i = 0; i < wanted; ++i)
    chosen[shuffled_index(i, static_cast<std::uint32_t>(count), options.seed, kSplitEpoch)] = true;
  return chosen;
}

// Converts the rows, or those whose flag in `chosen` is `which`. Examples of a file stay there.
void set_examples(Dataset& set, const Rows& rows, const ValueRange& range, const Standardization& by,
                  const std::vector<bool>& chosen = {}, bool which = true) {
  set.height = rows.height;
  set.width = rows.width;
  if (rows.file() != nullptr) {
    set.source = file_examples(rows, range, by, chosen, which);
  } else {
    set.examples = convert(rows, range, by, chosen, which);
  }
}

Dataset part(const Rows& rows, const DataDescription& d, const std::vector<bool>& chosen, bool which) {
  Dataset set;
  set_examples(set, rows, d.values, d.standardization, chosen, which);
  for (std::size_t row = 0; row < chosen.size(); ++row) {
    if (chosen[row] != which) continue;
    if (!set.source) set.row_numbers.push_back(static_cast<std::int64_t>(row));
    if (!rows.labels.empty()) set.labels.push_back(rows.labels[row]);
  }
  return set;
}

Dataset whole(const Rows& rows, const ValueRange& range, const Standardization& by) {
  Dataset set;
  set_examples(set, rows, range, by);
  set.labels = rows.labels;
  set.first_row = rows.first_row;
  return set;
}

// Limits beyond which values are probably in other units: multiples of the largest magnitude in the training
// data, and numbers of standard deviations from their mean.
constexpr double kFarOut = 10, kFarDeviations = 100;

// Adds a note if a standardised value is far from the mean of the training rows. Columns with the mean 0 and
// the standard deviation 1 are not standardised, such as counts beside other columns.
void note_far_values(Rows& rows, const Dataset& set, const Standardization& by) {
  bool found = false;
  for_parts(set, [&](const Tensor& part, std::int64_t first) {
    const std::span<const float> values(part.data_as<float>(), static_cast<std::size_t>(part.elements()));
    for (std::size_t i = 0; i < values.size() && !found; ++i) {
      const std::size_t column = i % by.mean.size();
      found = std::abs(values[i]) > kFarDeviations && !(by.mean[column] == 0 && by.stddev[column] == 1);
      if (!found) continue;
      const auto element = static_cast<std::size_t>(first * set.features()) + i;
      rows.notes.push_back(
          fmt::format("{}: the value in {} is {:.3g} standard deviations away from the training data's mean: "
                      "are its units the same?",
                      rows.path, rows.place(element), std::abs(values[i])));
    }
  });
}

// Throws Error for a column without any value: a model could learn nothing about it.
void check_columns_have_values(const Rows& rows, const DataDescription& d, const Dataset& train) {
  if (!d.missing_values || train.dtype() != DType::f32) return;
  std::vector<bool> has_value(rows.row_size(), false);
  for_parts(train, [&](const Tensor& part, std::int64_t) {
    const float* values = part.data_as<float>();
    for (std::size_t i = 0; i < static_cast<std::size_t>(part.elements()); ++i)
      if (!std::isnan(values[i])) has_value[i % has_value.size()] = true;
  });
  const auto empty = static_cast<std::size_t>(std::ranges::find(has_value, false) - has_value.begin());
  if (empty == has_value.size()) return;
  const std::string name =
      d.column_names.empty() ? "" : fmt::format(" ('{}')", io::shown(d.column_names[empty]));
  fail(file_error("read"),
       "{}: expected values in every column of the training rows, got only missing values in column {}{} "
       "(from "
       "0): leave this column out",
       rows.path, empty, name);
}

DataDescription describe_rows(Rows& rows, const DatasetOptions& options) {
  DataDescription d;
  d.height = rows.height;
  d.width = rows.width;
  d.values = decide_range(rows, options);
  d.missing_values = options.missing_values;
  d.column_names = std::move(rows.columns);
  d.label_column = std::move(rows.label_column);
  d.class_names = std::move(rows.classes);
  return d;
}

}  // namespace

std::size_t Rows::elements() const {
  return std::visit([](const auto& v) { return v.size(); }, values);
}

const io::FileArray* Rows::file() const {
  const auto* in_file = std::get_if<FileValues>(&values);
  return in_file == nullptr ? nullptr : in_file->array.get();
}

bool Rows::holds_bytes() const {
  return file() != nullptr ? file()->layout().bytes
                           : std::holds_alternative<std::vector<std::uint8_t>>(values);
}

std::string Rows::place(std::size_t element) const {
  const std::size_t column = element % row_size(), row = element / row_size();
  if (height > 1)
    return fmt::format("image {}, line {}, column {} (from 0)", row, column / static_cast<std::size_t>(width),
                       column % static_cast<std::size_t>(width));
  const std::string name = columns.empty() ? "" : fmt::format(" ('{}')", io::shown(columns[column]));
  return fmt::format("row {}, column {}{} (from 0)", row, column, name);
}

void check_options(const DatasetOptions& options) {
  check(options.validation_fraction >= 0 && options.validation_fraction < 1, "load_dataset",
        "expected a validation fraction from 0 to below 1, got {}", options.validation_fraction);
  check(options.max_rows >= 0, "load_dataset", "expected max_rows of 0 (all) or more, got {}",
        options.max_rows);
  check(!options.counts || !(options.standardize || options.value_range), "load_dataset",
        "expected counts without standardisation and without a value range, got both");
  if (!options.value_range) return;
  const auto [low, high] = *options.value_range;
  check(std::isfinite(low) && std::isfinite(high) && low < high && std::isfinite(high - low), "load_dataset",
        "expected a value range of two finite numbers, the lower one first, got {} and {}", low, high);
}

Split split_rows(Rows rows, const DatasetOptions& options, std::string source) {
  keep_first(rows, options.max_rows);
  rows.missing_values = options.missing_values;
  const int fewest = options.validation_fraction > 0 ? 2 : 1;
  check(rows.count() >= fewest && rows.count() <= INT32_MAX, file_error("read"),
        "{}: expected {} to 2^31-1 rows, got {}", rows.path, fewest, rows.count());
  const std::vector<bool> chosen = choose(rows.count(), options);
  Split split{.train = {}, .test = {}, .source = std::move(source), .description = {}, .notes = {}};
  DataDescription& d = split.description;
  d = describe_rows(rows, options);
  if (options.standardize && rows.height == 1 && d.values.kind != ValueKind::bytes && !d.values.scaled) {
    d.standardization = moments(rows, chosen, false);
    d.values.kind = ValueKind::standardized;
    split.source += ", standardised";
  }
  split.train = part(rows, d, chosen, false);
  check_columns_have_values(rows, d, split.train);
  split.test = part(rows, d, chosen, true);
  split.notes = std::move(rows.notes);
  return split;
}

Split split_rows(Rows train, Rows test, const DatasetOptions& options, std::string source) {
  check(train.height == test.height && train.width == test.width, file_error("read"),
        "{}: expected images of {} x {} (height x width) like those of {}, got {} x {}", test.path,
        train.height, train.width, train.path, test.height, test.width);
  keep_first(train, options.max_rows);
  keep_first(test, options.max_rows);
  train.missing_values = test.missing_values = options.missing_values;
  Split split{.train = {}, .test = {}, .source = std::move(source), .description = {}, .notes = {}};
  split.description = describe_rows(train, options);
  const ValueRange of_test = check_range(test, split.description.values);
  split.train = whole(train, split.description.values, {});
  check_columns_have_values(train, split.description, split.train);
  split.test = whole(test, of_test, {});
  split.notes = std::move(train.notes);
  split.notes.insert(split.notes.end(), test.notes.begin(), test.notes.end());
  return split;
}

Dataset conform_rows(Rows& rows, const DataDescription& like) {
  const ValueRange range = check_range(rows, like.values, like.condition_columns);
  if (like.values.kind == ValueKind::standardized && like.standardization.empty())
    check_magnitude(rows, kFarOut * std::max(std::abs(like.values.low), std::abs(like.values.high)));
  Dataset set = whole(rows, range, like.standardization);
  set.height = like.height;
  set.width = like.width;
  if (!like.standardization.empty()) note_far_values(rows, set, like.standardization);
  return set;
}

}  // namespace gpuvae::data

namespace gpuvae {

void standardize(const Standardization& by, const Tensor& images) {
  const auto count = static_cast<std::size_t>(images.shape()[0]), columns = by.mean.size();
  check(static_cast<std::size_t>(images.shape()[1]) == columns, "standardize",
        "expected rows of {} columns, got {}", columns, images.shape()[1]);
  check(by.stddev.size() == columns, "standardize", "expected {} standard deviations, got {}", columns,
        by.stddev.size());
  check(images.device().is_cpu(), "standardize", "expected examples on the CPU, got {}", images);
  float* values = images.data_as<float>();
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t c = 0; c < columns; ++c, ++values)
      if (!std::isnan(*values))
        *values = by.stddev[c] > 0 ? static_cast<float>((*values - by.mean[c]) / by.stddev[c]) : 0.0f;
}

void restore_units(const Standardization& by, std::vector<float>& rows) {
  const std::size_t columns = by.mean.size();
  check(by.stddev.size() == columns, "restore_units", "expected {} standard deviations, got {}", columns,
        by.stddev.size());
  check(columns > 0 && rows.size() % columns == 0, "restore_units",
        "expected rows of {} columns, got {} values", columns, rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>(rows[i] * by.stddev[i % columns] + by.mean[i % columns]);
}

std::vector<double> restored(const DataDescription& by, std::span<const float> rows) {
  const Standardization& s = by.standardization;
  const std::size_t columns = s.mean.size();
  check(s.empty() || rows.size() % columns == 0, "restored", "expected rows of {} columns, got {} values",
        columns, rows.size());
  check(s.stddev.size() == columns, "restored", "expected {} standard deviations, got {}", columns,
        s.stddev.size());
  std::vector<double> values(rows.begin(), rows.end());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!s.empty()) {
      values[i] = values[i] * s.stddev[i % columns] + s.mean[i % columns];
    } else if (by.values.scaled) {
      values[i] = values[i] * (by.values.high - by.values.low) + by.values.low;
    }
  }
  return values;
}

}  // namespace gpuvae
