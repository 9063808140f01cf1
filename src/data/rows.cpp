#include "src/data/rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/check.h"
#include "kernels/math/philox.h"

namespace gpuvae::data {
namespace {

// In the place of an epoch, so that this is not the order of any epoch of the same seed.
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
  fail("read", "{}: expected finite values, got {} in row {}, column {}{} (from 0)", rows.path, *bad,
       at / rows.row_size(), column, name);
}

// Which rows are for validation.
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

ImageSet part(const Rows& rows, const std::vector<bool>& chosen, bool which) {
  ImageSet set;
  set.height = rows.height, set.width = rows.width;
  set.images = rows.bytes ? gather(rows.u8, rows.row_size(), chosen, which, DType::u8)
                          : gather(rows.f32, rows.row_size(), chosen, which, DType::f32);
  for (std::size_t row = 0; row < rows.labels.size(); ++row)
    if (chosen[row] == which) set.labels.push_back(rows.labels[row]);
  return set;
}

struct Moments {
  std::vector<double> mean, deviation;
};

// Differences from the first row lose nothing to a large mean, and are exactly 0 where a column is constant.
Moments moments(const Tensor& x) {
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
  Moments result{std::move(first), std::move(squares)};
  for (std::size_t c = 0; c < columns; ++c) {
    result.mean[c] += sum[c];
    result.deviation[c] = std::sqrt(result.deviation[c] / static_cast<double>(count));
  }
  return result;
}

void apply(const Moments& m, const Tensor& x) {
  const auto count = static_cast<std::size_t>(x.shape()[0]), columns = m.mean.size();
  float* values = x.data_as<float>();
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t c = 0; c < columns; ++c, ++values)
      *values = m.deviation[c] > 0 ? static_cast<float>((*values - m.mean[c]) / m.deviation[c]) : 0.0f;
}

}  // namespace

void check_options(const DatasetOptions& options) {
  check(options.validation_fraction >= 0 && options.validation_fraction < 1, "load_dataset",
        "expected a validation fraction from 0 to below 1, got {}", options.validation_fraction);
  check(options.max_rows >= 0, "load_dataset", "expected max_rows of 0 (all) or more, got {}",
        options.max_rows);
}

Split split_rows(Rows rows, const DatasetOptions& options, std::string source) {
  check(!options.standardize || !rows.bytes, "read",
        "{}: expected a table or an array of floats to standardise, got bytes", rows.path);
  keep_first(rows, options.max_rows);
  check(rows.count() >= 2 && rows.count() <= INT32_MAX, "read", "{}: expected 2 to 2^31-1 rows, got {}",
        rows.path, rows.count());
  check_finite(rows);
  const std::vector<bool> chosen = choose(rows.count(), options);
  Split split{
      .train = part(rows, chosen, false), .test = part(rows, chosen, true), .source = std::move(source)};
  if (!options.standardize) return split;
  const Moments of_training = moments(split.train.images);
  apply(of_training, split.train.images);
  apply(of_training, split.test.images);
  split.source += ", standardised";
  return split;
}

}  // namespace gpuvae::data
