// Means of a few values, with the intervals in which the true means lie.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

namespace gpuvae::apps {

// The quantile of Student's t distribution: the t for which P(T <= t) = p, 0.5 <= p < 1. `degrees` is the
// number of degrees of freedom, at least 1. Throws Error for other arguments.
double student_t_quantile(double p, std::size_t degrees);

// The mean of a sample, and half the width of its 95 % confidence interval under Student's t distribution.
// Without values, both are NaN; with one value, half_width is NaN.
struct Estimate {
  std::size_t count = 0;
  double mean = NAN;
  double half_width = NAN;
};
Estimate estimate(std::span<const double> values);
// Whether a difference is above 0 with its whole interval.
inline bool is_clear(const Estimate& difference) { return difference.mean - difference.half_width > 0; }

}  // namespace gpuvae::apps
