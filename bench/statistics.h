// Medians, spreads, confidence intervals of ratios, and the verdicts drawn from them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gpuvae::bench {

struct Statistics {
  double median = 0, low = 0, high = 0;  // low and high: the 10th and 90th percentile
  int samples = 0;
};
Statistics statistics_of(std::vector<double> values);

struct Interval {
  double low = 0, high = 0;
};

// Returns an interval that contains the median of the distribution of the values with a probability of at
// least 95 %, whatever this distribution is. Its ends are order statistics: the k-th smallest and the k-th
// largest value, where k follows from the binomial distribution with p = 1/2. Without ties, n = 51 gives k =
// 19. If neighbouring values, in the order of measurement, lie on the same side of the median more often than
// by chance, the values count as fewer independent ones, and the interval is wider. Returns none for fewer
// than 6 (independent) values, because no interval of them reaches 95 %, and if a value is NaN.
std::optional<Interval> median_interval(const std::vector<double>& values);

enum class Verdict { faster, slower, same, undecided };
const char* name(Verdict verdict);

// Intervals inside 1 +- kSame count as "same".
inline constexpr double kSame = 0.02;

// Judges "ours" from an interval of the ratio (time of the other side) / (time of ours). "same" if the whole
// interval is inside 1 +- kSame, otherwise "faster" or "slower" if 1 is outside, otherwise "undecided".
Verdict verdict_of(const std::optional<Interval>& ratio);

// Whether more samples would hardly change the result: the ends of the interval differ by at most 2 kSame,
// relative to the lower end.
bool is_narrow(const std::optional<Interval>& ratio);

// Formats a ratio with three or four digits: "1.012", "2.35", "35.2", "384".
std::string ratio_text(double ratio);

}  // namespace gpuvae::bench
