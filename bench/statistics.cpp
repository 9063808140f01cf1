#include "bench/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gpuvae::bench {
namespace {

constexpr double kMiss = 0.05;  // largest probability that an interval does not contain the median

// Returns the largest k such that the k-th smallest and the k-th largest of n independent values enclose the
// median with a probability of at least 1 - kMiss, or 0 if there is none. The interval misses if fewer than k
// values lie on one side of the median, and the number of values on a side is binomial.
int rank_for(int n) {
  double term = std::ldexp(1.0, -n), tail = 0;
  int k = 0;
  while (k < n && 2 * (tail + term) <= kMiss) {
    tail += term;
    term *= static_cast<double>(n - k) / (k + 1);
    ++k;
  }
  return k;
}

// Returns the number of independent values that carry as much information on the median as `values`: their
// sides of the median are regarded as a first-order autoregressive sequence.
int independent_values(const std::vector<double>& values, double median) {
  const auto n = static_cast<double>(values.size());
  const auto side = [&](std::size_t i) { return values[i] > median ? 1 : values[i] < median ? -1 : 0; };
  double sum = 0;
  for (std::size_t i = 1; i < values.size(); ++i) sum += side(i) * side(i - 1);
  // Independent values have a correlation of -1 / n on average, because their own median is subtracted, with
  // a standard deviation of about 1 / sqrt(n).
  const double correlation = std::min((sum + 1) / (n - 1), 0.95);
  if (!(correlation > 1.5 / std::sqrt(n))) return static_cast<int>(values.size());
  return static_cast<int>(std::lround(n * (1 - correlation) / (1 + correlation)));
}

double median_of_sorted(const std::vector<double>& sorted) {
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

}  // namespace

Statistics statistics_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {median_of_sorted(values), at(0.1), at(0.9), static_cast<int>(values.size())};
}

std::optional<Interval> median_interval(const std::vector<double>& values) {
  if (values.empty() || std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); }))
    return std::nullopt;
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n = sorted.size();
  const int independent = independent_values(values, median_of_sorted(sorted));
  const int rank = rank_for(independent);
  if (rank == 0) return std::nullopt;
  const std::size_t k =
      std::max<std::size_t>(1, static_cast<std::size_t>(rank) * n / static_cast<std::size_t>(independent));
  return Interval{sorted[k - 1], sorted[n - k]};
}

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::faster:
      return "faster";
    case Verdict::slower:
      return "slower";
    case Verdict::same:
      return "same";
    case Verdict::undecided:
      break;
  }
  return "undecided";
}

Verdict verdict_of(const std::optional<Interval>& ratio) {
  if (!ratio) return Verdict::undecided;
  if (ratio->low >= 1 - kSame && ratio->high <= 1 + kSame) return Verdict::same;
  if (ratio->low > 1) return Verdict::faster;
  return ratio->high < 1 ? Verdict::slower : Verdict::undecided;
}

bool is_narrow(const std::optional<Interval>& ratio) {
  return ratio && ratio->high <= ratio->low * (1 + 2 * kSame);
}

std::string ratio_text(double ratio) {
  constexpr double kNearOne = 0.1;
  const int decimals = std::fabs(ratio - 1) < kNearOne ? 3 : ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", ratio, decimals);
}

}  // namespace gpuvae::bench
