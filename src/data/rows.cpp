#include "src/data/rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/check.h"
#include "kernels/math/philox.h"
#include "src/data/values.h"

namespace gpuvae::data {
namespace {

// This value replaces the epoch in the shuffle, so that the split differs from the order of every epoch with
// the same seed.
constexpr std::uint64_t kSplitEpoch = ~std::uint64_t{0};

void keep_first(Rows& rows, std::int64_t most) {
  if (most == 0 || rows.count() <= most) return;
  const auto kept = static_cast<std::size_t>(most);
  if (rows.bytes) {
    rows.u8.resize(kept * rows.row_size());
  } else {
    rows.f32.resize(kept * rows.row_size());
  }
  if (!rows.labels.empty()) rows.labels.resize(kept);
}

void check_finite(const Rows& rows) {
  const auto bad = std::ranges::find_if(rows.f32, [](float value) { return !std::isfinite(value); });
  if (bad == rows.f32.end()) return;
  const auto at = static_cast<std::size_t>(bad - rows.f32.begin());
  const std::size_t column = at % rows.row_size();
  const std::string name = rows.columns.empty() ? "" : fmt::format(" ('{}')", rows.columns[column]);
  fail(file_error("read"), "{}: expected finite values, got {} in row {}, column {}{} (from 0)", rows.path,
       *bad, at / rows.row_size(), column, name);
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

template <class T>
Tensor gather(const std::vector<T>& values, std::size_t row_size, const std::vector<bool>& chosen, bool which,
              DType dtype) {
  const std::int64_t count = std::ranges::count(chosen, which);
  Tensor images = Tensor::empty({count, static_cast<std::int64_t>(row_size)}, dtype);
  T* out = images.data_as<T>();
  for (std::size_t row = 0; row < chosen.size(); ++row)
    if (chosen[row] == which) out = std::copy_n(values.data() + row * row_size, row_size, out);
  return images;
}

Dataset part(const Rows& rows, const std::vector<bool>& chosen, bool which) {
  Dataset set;
  set.height = rows.height;
  set.width = rows.width;
  set.examples = rows.bytes ? gather(rows.u8, rows.row_size(), chosen, which, DType::u8)
                            : gather(rows.f32, rows.row_size(), chosen, which, DType::f32);
  for (std::size_t row = 0; row < rows.labels.size(); ++row)
    if (chosen[row] == which) set.labels.push_back(rows.labels[row]);
  return set;
}

// Returns the mean and standard deviation of each column. They are computed from differences to the first
// row, which lose no precision to a large mean and are exactly 0 if a column is constant.
Standardization moments(const Tensor& x) {
  const auto count = static_cast<std::size_t>(x.shape()[0]), columns = static_cast<std::size_t>(x.shape()[1]);
  const float* values = x.data_as<float>();
  std::vector<double> first(values, values + columns), sum(columns, 0.0), squares(columns, 0.0);
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t c = 0; c < columns; ++c) sum[c] += values[row * columns + c] - first[c];
  for (double& s : sum) s /= static_cast<double>(count);
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t c = 0; c < columns; ++c) {
      const double difference = values[row * columns + c] - first[c] - sum[c];
      squares[c] += difference * difference;
    }
  Standardization result{std::move(first), std::move(squares)};
  for (std::size_t c = 0; c < columns; ++c) {
    result.mean[c] += sum[c];
    result.stddev[c] = std::sqrt(result.stddev[c] / static_cast<double>(count));
  }
  return result;
}

// Returns the names, or none if all of them are numbers, as in files without a header.
std::vector<std::string> given_names(std::vector<std::string> names) {
  const auto is_number = [](const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
  };
  if (std::ranges::all_of(names, is_number)) names.clear();
  return names;
}

}  // namespace

void check_options(const DatasetOptions& options) {
  check(options.validation_fraction >= 0 && options.validation_fraction < 1, "load_dataset",
        "expected a validation fraction from 0 to below 1, got {}", options.validation_fraction);
  check(options.max_rows >= 0, "load_dataset", "expected max_rows of 0 (all) or more, got {}",
        options.max_rows);
}

Split split_rows(Rows rows, const DatasetOptions& options, std::string source) {
  keep_first(rows, options.max_rows);
  const int fewest = options.validation_fraction > 0 ? 2 : 1;
  check(rows.count() >= fewest && rows.count() <= INT32_MAX, file_error("read"),
        "{}: expected {} to 2^31-1 rows, got {}", rows.path, fewest, rows.count());
  check_finite(rows);
  const std::vector<bool> chosen = choose(rows.count(), options);
  Split split{
      .train = part(rows, chosen, false), .test = part(rows, chosen, true), .source = std::move(source)};
  DataDescription& d = split.description;
  d.height = rows.height;
  d.width = rows.width;
  if (rows.bytes) d.values = kByteRange;
  d.column_names = given_names(std::move(rows.columns));
  d.class_names = std::move(rows.classes);
  if (!options.standardize || rows.bytes || rows.height > 1) return split;
  d.standardization = moments(split.train.examples);
  standardize(d.standardization, split.train.examples);
  standardize(d.standardization, split.test.examples);
  split.source += ", standardised";
  return split;
}

}  // namespace gpuvae::data

namespace gpuvae {

void standardize(const Standardization& by, const Tensor& images) {
  const auto count = static_cast<std::size_t>(images.shape()[0]), columns = by.mean.size();
  check(static_cast<std::size_t>(images.shape()[1]) == columns, "standardize",
        "expected rows of {} columns, got {}", columns, images.shape()[1]);
  float* values = images.data_as<float>();
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t c = 0; c < columns; ++c, ++values)
      *values = by.stddev[c] > 0 ? static_cast<float>((*values - by.mean[c]) / by.stddev[c]) : 0.0f;
}

void restore_units(const Standardization& by, std::vector<float>& rows) {
  const std::size_t columns = by.mean.size();
  check(columns > 0 && rows.size() % columns == 0, "restore_units",
        "expected rows of {} columns, got {} values", columns, rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>(rows[i] * by.stddev[i % columns] + by.mean[i % columns]);
}

void restore_units(const DataDescription& by, std::vector<float>& rows) {
  if (!by.standardization.empty()) return restore_units(by.standardization, rows);
  const ValueRange& range = by.values;
  if (range.scaled)
    for (float& value : rows) value = static_cast<float>(value * (range.high - range.low) + range.low);
}

}  // namespace gpuvae
