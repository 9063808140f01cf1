#include <algorithm>
#include <numeric>

#include "gpuvae/data.h"
#include "kernels/check.h"
#include "src/data/splitmix.h"
#include "src/data/values.h"

namespace gpuvae {
namespace {

// Copies the examples with the given numbers, which count those of `first` and then those of `second`.
Dataset examples_of(const Dataset& first, const Dataset& second, const std::vector<std::int64_t>& numbers) {
  Dataset result;
  result.height = first.height;
  result.width = first.width;
  result.factor_names = first.factor_names;
  const std::size_t factors = first.factor_names.size();
  const auto bytes = static_cast<std::size_t>(first.features()) * size_of(first.dtype());
  result.examples = Tensor::empty({std::ssize(numbers), first.features()}, first.dtype(), Device::cpu());
  auto* to = static_cast<std::uint8_t*>(result.examples.data());
  for (const std::int64_t number : numbers) {
    const bool is_first = number < first.count();
    const Dataset& set = is_first ? first : second;
    const std::int64_t row = is_first ? number : number - first.count();
    const auto at = static_cast<std::size_t>(row);
    std::copy_n(static_cast<const std::uint8_t*>(set.examples.data()) + at * bytes, bytes, to);
    to += bytes;
    if (!set.labels.empty()) result.labels.push_back(set.labels[at]);
    for (std::size_t f = 0; f < factors; ++f) result.factors.push_back(set.factors[at * factors + f]);
    result.row_numbers.push_back(set.row_number(row));
  }
  return result;
}

// Standardises rows with the moments of the new training rows, instead of those of the training rows before.
// A column that was constant before stays 0.
void standardize_again(Split& split) {
  Standardization& by = split.description.standardization;
  if (by.empty()) return;
  Standardization change;
  for (std::size_t c = 0; c < by.mean.size(); ++c) {
    const auto [mean, stddev] = data::column_moments(split.train.examples, static_cast<std::int64_t>(c));
    change.mean.push_back(mean);
    change.stddev.push_back(stddev);
    by.mean[c] += by.stddev[c] * mean;
    by.stddev[c] *= stddev;
  }
  standardize(change, split.train.examples);
  standardize(change, split.test.examples);
}

}  // namespace

Split shuffled_split(const Split& split, std::uint64_t seed, std::int64_t test) {
  const std::int64_t first = split.train.count(), all = first + split.test.count();
  check(split.train.examples && split.test.examples && split.train.device().is_cpu(), "data",
        "expected examples in host memory for a shuffled split, got {}", split.source);
  check(test >= 1 && test < all, "data", "expected 1 to {} test examples, got {}", all - 1, test);
  std::vector<std::int64_t> order(static_cast<std::size_t>(all));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, {}, [&](std::int64_t i) { return data::splitmix64(seed, static_cast<std::uint64_t>(i)); });
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(all - test);
  Split result = split;
  result.train = examples_of(split.train, split.test, {order.begin(), middle});
  result.test = examples_of(split.train, split.test, {middle, order.end()});
  standardize_again(result);
  return result;
}

}  // namespace gpuvae
