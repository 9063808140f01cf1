// Counts with two known latent factors, for tests of models of counts: their true likelihood is known.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "gpuvae/data.h"
#include "src/data/splitmix.h"

namespace gpuvae {
namespace {

constexpr std::int64_t kRows = 3000, kTrain = 2000, kColumns = 30;

// Uniform number `index` of the generator splitmix64 with a seed, in [0, 1).
double uniform(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(data::splitmix64(seed, index) >> 11) * 0x1p-53;
}

// The smallest count whose distribution function exceeds u, for the negative binomial distribution.
double quantile(double u, double mean, double k) {
  const double share = mean / (k + mean);
  double p = std::pow(k / (k + mean), k), sum = p, count = 0;
  while (!(sum > u) && p > 0) {
    p *= (count + k) / (count + 1) * share;
    ++count;
    sum += p;
  }
  return count;
}

}  // namespace

Split synthetic_counts() {
  std::vector<float> counts, factors;
  for (std::int64_t i = 0; i < kRows; ++i) {
    const auto row = static_cast<std::uint64_t>(i);
    const double radius = std::sqrt(-2 * std::log(1 - uniform(11, 2 * row)));
    const double angle = 2 * std::numbers::pi * uniform(11, 2 * row + 1);
    const double z[2] = {radius * std::cos(angle), radius * std::sin(angle)};
    factors.insert(factors.end(), {static_cast<float>(z[0]), static_cast<float>(z[1])});
    for (std::int64_t c = 0; c < kColumns; ++c) {
      const auto j = static_cast<double>(c);
      const double loading[2] = {0.9 * std::sin(1.3 * j + 0.5), 0.9 * std::sin(1.3 * j + 2.6)};
      const double log_mean = loading[0] * z[0] + loading[1] * z[1] + 1.5 + std::cos(0.7 * j);
      const double k = 2 * std::exp(0.5 * std::sin(0.9 * j));
      const double u = uniform(12, row * kColumns + static_cast<std::uint64_t>(c));
      counts.push_back(static_cast<float>(quantile(u, std::exp(log_mean), k)));
    }
  }
  Dataset all;
  all.height = 1;
  all.width = static_cast<int>(kColumns);
  all.examples = Tensor::from(counts, {kRows, kColumns});
  all.factor_names = {"z1", "z2"};
  all.factors = std::move(factors);
  Split split{.train = all.slice(0, kTrain),
              .test = all.slice(kTrain, kRows - kTrain),
              .source = "synthetic counts",
              .description = {},
              .notes = {}};
  split.description.height = 1;
  split.description.width = all.width;
  double largest = 0;
  for (const float count : counts) largest = std::max<double>(largest, count);
  split.description.values = {ValueKind::counts, 0, largest, false};
  return split;
}

}  // namespace gpuvae
