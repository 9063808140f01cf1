#include "apps/sweep/statistics.h"

#include <numbers>
#include <numeric>

#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

// Returns P(|T| <= t) for t = sqrt(degrees) tan(angle): the finite sums 26.7.3 and 26.7.4 of Abramowitz and
// Stegun, "Handbook of mathematical functions" (1964).
double two_sided_probability(double angle, std::size_t degrees) {
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const bool odd = degrees % 2 == 1;
  double sum = 0, term = odd ? cosine : 1;
  for (std::size_t power = odd ? 1 : 0; power + 2 <= degrees; power += 2) {
    sum += term;
    term *= cosine * cosine * static_cast<double>(power + 1) / static_cast<double>(power + 2);
  }
  return odd ? 2 / std::numbers::pi * (angle + sine * sum) : sine * sum;
}

}  // namespace

double student_t_quantile(double p, std::size_t degrees) {
  check(p >= 0.5 && p < 1 && degrees >= 1, "student_t",
        "expected p in [0.5, 1) and at least 1 degree of freedom, got {} and {}", p, degrees);
  double low = 0, high = std::numbers::pi / 2;
  for (int i = 0; i < 100; ++i) {
    const double angle = (low + high) / 2;
    (two_sided_probability(angle, degrees) < 2 * p - 1 ? low : high) = angle;
  }
  return std::sqrt(static_cast<double>(degrees)) * std::tan((low + high) / 2);
}

Estimate estimate(std::span<const double> values) {
  Estimate result{.count = values.size()};
  if (values.empty()) return result;
  const auto n = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() == 1) return result;
  double squares = 0;
  for (const double v : values) squares += (v - result.mean) * (v - result.mean);
  result.half_width = student_t_quantile(0.975, values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  return result;
}

}  // namespace gpuvae::apps
