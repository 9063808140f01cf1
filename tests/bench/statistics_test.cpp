// Intervals of medians against values of the binomial distribution, their coverage on known distributions,
// and verdicts.
#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

namespace gpuvae::bench {
namespace {

// 1, 2, ..., n in an order whose neighbours lie on different sides of the median.
std::vector<double> alternating(int n) {
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(i % 2 == 0 ? 1 + i / 2 : n - i / 2);
  return values;
}

TEST(MedianInterval, EndsAtTheRanksOfTheBinomialDistribution) {
  // The ranks are those of the usual tables of the sign test: the largest k with 2 P(B < k) <= 0.05.
  for (const auto& [n, k] : {std::pair{6, 1}, {8, 1}, {9, 2}, {20, 6}, {51, 19}, {100, 40}, {201, 87}}) {
    const auto interval = median_interval(alternating(n));
    ASSERT_TRUE(interval) << n;
    EXPECT_EQ(interval->low, k) << n;
    EXPECT_EQ(interval->high, n + 1 - k) << n;
  }
  for (int n = 0; n < 6; ++n) EXPECT_FALSE(median_interval(alternating(n))) << n;
  EXPECT_FALSE(median_interval({1, 1, 1, 1, 1, 1, NAN}));
  const auto equal = median_interval({2, 2, 2, 2, 2, 2, 2, 2});
  ASSERT_TRUE(equal);
  EXPECT_EQ(equal->low, 2);
  EXPECT_EQ(equal->high, 2);
}

TEST(Statistics, GivesMedianAndPercentiles) {
  const Statistics s = statistics_of({4, 1, 3, 2, 11, 10, 9, 8, 7, 6, 5});
  EXPECT_EQ(s.median, 6);
  EXPECT_EQ(s.low, 2);
  EXPECT_EQ(s.high, 10);
  EXPECT_EQ(s.samples, 11);
  EXPECT_EQ(statistics_of({3, 1, 2, 10}).median, 2.5);
  EXPECT_EQ(statistics_of({}).samples, 0);
}

// Draws n values whose distribution has the median 1.
struct Distribution {
  std::string name;
  std::function<std::vector<double>(std::mt19937_64&, int)> draw;
};
std::vector<Distribution> distributions() {
  const auto independent = [](const std::string& name, std::function<double(double, double)> f) {
    return Distribution{name, [f](std::mt19937_64& generator, int n) {
                          std::uniform_real_distribution<double> uniform;
                          std::normal_distribution<double> normal;
                          std::vector<double> values;
                          for (int i = 0; i < n; ++i)
                            values.push_back(f(uniform(generator), normal(generator)));
                          return values;
                        }};
  };
  return {
      independent("narrow log-normal", [](double, double z) { return std::exp(0.01 * z); }),
      independent("wide log-normal", [](double, double z) { return std::exp(0.2 * z); }),
      independent("exponential", [](double u, double) { return 1 + 0.1 * (-std::log1p(-u) - std::log(2)); }),
      independent("Cauchy", [](double u, double) { return 1 + 0.02 * std::tan(M_PI * (u - 0.5)); }),
      independent("two states", [](double u, double) { return u < 0.5 ? 0.9 + 0.2 * u : 0.5 + u; }),
      independent("outliers", [](double u, double) { return 1 + 0.02 * (u - 0.5) + (u > 0.8 ? 1 : 0); })};
}

bool covers_one(const std::optional<Interval>& interval) {
  return interval && interval->low <= 1 && 1 <= interval->high;
}

TEST(MedianInterval, CoversTheMedianOfEveryDistributionInNineteenOfTwentyCases) {
  std::mt19937_64 generator(1);
  constexpr int kRepeats = 3000;
  for (const Distribution& d : distributions())
    for (const int n : {7, 15, 51, 201}) {
      int covered = 0, existing = 0;
      for (int i = 0; i < kRepeats; ++i) {
        const auto interval = median_interval(d.draw(generator, n));
        existing += interval.has_value();
        covered += covers_one(interval);
      }
      // Four standard deviations of the simulation below 95 %. Few values may look correlated by chance.
      EXPECT_GT(covered, (0.95 - 4 * std::sqrt(0.05 * 0.95 / kRepeats)) * existing) << d.name << ", " << n;
      EXPECT_GT(existing, 0.9 * kRepeats) << d.name << ", " << n;
      EXPECT_LT(covered, 0.999 * kRepeats) << d.name << ", " << n << ": the intervals are too wide";
    }
}

// The number of rounds depends on the samples, which makes the intervals a little too narrow.
TEST(MedianInterval, CoversTheMedianWhenMeasurementsStopAtANarrowInterval) {
  std::mt19937_64 generator(2);
  constexpr int kRepeats = 1500, kMaxRounds = 201;
  for (const Distribution& d : distributions()) {
    int covered = 0;
    for (int i = 0; i < kRepeats; ++i) {
      const std::vector<double> all = d.draw(generator, kMaxRounds);
      int n = 7;
      auto interval = median_interval({all.begin(), all.begin() + n});
      while (n < kMaxRounds && !is_narrow(interval)) {
        n = std::min(kMaxRounds, n + 1 + n / 3);
        interval = median_interval({all.begin(), all.begin() + n});
      }
      covered += covers_one(interval);
    }
    EXPECT_GT(covered, 0.91 * kRepeats) << d.name;
  }
}

// Times of a machine that stays fast or slow for a while are not independent of each other.
TEST(MedianInterval, IsWiderIfNeighbouringValuesAreCorrelated) {
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal;
  constexpr int kRepeats = 2000, kCount = 101;
  constexpr double kCorrelation = 0.5;
  int covered = 0, covered_by_shuffled = 0;
  for (int i = 0; i < kRepeats; ++i) {
    std::vector<double> values;
    double x = normal(generator);
    for (int k = 0; k < kCount; ++k) {
      values.push_back(std::exp(0.05 * x));
      x = kCorrelation * x + std::sqrt(1 - kCorrelation * kCorrelation) * normal(generator);
    }
    covered += covers_one(median_interval(values));
    std::shuffle(values.begin(), values.end(), generator);
    covered_by_shuffled += covers_one(median_interval(values));
  }
  EXPECT_GT(covered, 0.91 * kRepeats);
  EXPECT_LT(covered_by_shuffled, 0.85 * kRepeats);  // what the binomial distribution alone gives
}

TEST(Verdict, FollowsFromTheInterval) {
  const auto verdict = [](double low, double high) { return verdict_of(Interval{low, high}); };
  EXPECT_EQ(verdict(1.01, 1.03), Verdict::faster);
  EXPECT_EQ(verdict(1.001, 5), Verdict::faster);
  EXPECT_EQ(verdict(0.5, 0.999), Verdict::slower);
  EXPECT_EQ(verdict(0.98, 1.02), Verdict::same);
  EXPECT_EQ(verdict(1.01, 1.015), Verdict::same);
  EXPECT_EQ(verdict(0.97, 1.01), Verdict::undecided);
  EXPECT_EQ(verdict(0.2, 9), Verdict::undecided);
  EXPECT_EQ(verdict(1, 1.5), Verdict::undecided);
  EXPECT_EQ(verdict(NAN, NAN), Verdict::undecided);
  EXPECT_EQ(verdict_of(std::nullopt), Verdict::undecided);
}

TEST(Verdict, NarrowIntervalsAreFourPercentWide) {
  EXPECT_TRUE(is_narrow(Interval{2, 2.08}));
  EXPECT_FALSE(is_narrow(Interval{2, 2.09}));
  EXPECT_FALSE(is_narrow(std::nullopt));
  EXPECT_FALSE(is_narrow(Interval{NAN, NAN}));
}

TEST(Verdict, RatiosHaveThreeOrFourDigits) {
  EXPECT_EQ(ratio_text(1.0123), "1.012");
  EXPECT_EQ(ratio_text(0.9501), "0.950");
  EXPECT_EQ(ratio_text(0.5), "0.50");
  EXPECT_EQ(ratio_text(2.349), "2.35");
  EXPECT_EQ(ratio_text(35.16), "35.2");
  EXPECT_EQ(ratio_text(383.9), "384");
}

}  // namespace
}  // namespace gpuvae::bench
