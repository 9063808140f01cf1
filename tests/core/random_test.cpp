#include "gpuvae/device/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "gpuvae/ops.h"
#include "kernels/cpu/simd/simd.h"
// simd.h selects Highway's targets and must come first.
#include "hwy/highway.h"

namespace gpuvae {
namespace {

// The answers are those of philox4x32-10 in the file kat_vectors of Random123, the library by Philox's
// authors.
TEST(Philox, MatchesThePublishedAnswers) {
  struct Answer {
    std::uint32_t counter[4], key[2], expected[4];
  };
  const Answer answers[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Answer& a : answers) {
    const std::uint64_t key = std::uint64_t{a.key[1]} << 32 | a.key[0];
    const Philox4x32 r = philox4x32(a.counter[0], a.counter[1], a.counter[2], a.counter[3], key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(r.v[i], a.expected[i]);
  }
}

TEST(Random, NormalNumbersHaveTheMomentsOfANormalDistribution) {
  const auto x = random_normal({1000, 1000}, {.seed = 3, .purpose = RandomPurpose::test}).to_doubles();
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (double v : x) {
    m1 += v;
    m2 += v * v;
    m3 += v * v * v;
    m4 += v * v * v * v;
  }
  const double n = static_cast<double>(x.size());
  // The tolerances are five standard errors of each moment.
  EXPECT_NEAR(m1 / n, 0, 5 * std::sqrt(1 / n));
  EXPECT_NEAR(m2 / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(m3 / n, 0, 5 * std::sqrt(15 / n));
  EXPECT_NEAR(m4 / n, 3, 5 * std::sqrt(96 / n));
}

TEST(Random, UniformNumbersNeverReachZeroOrOne) {
  EXPECT_GT(uniform01(0), 0.0f);
  EXPECT_LT(uniform01(~0u), 1.0f);
  EXPECT_TRUE(std::isfinite(box_muller(0, 0).first) && std::isfinite(box_muller(~0u, ~0u).second));
}

// Calls body once per instruction set for which the kernels were compiled and which this CPU supports.
template <class Body>
void on_every_instruction_set(const Body& body) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Returns the random numbers of one row, computed with the scalar formulas of kernels/math.
std::vector<float> scalar_row(const Noise& noise, std::uint32_t sample, std::int64_t columns, bool normal) {
  std::vector<float> row;
  for (std::uint32_t block = 0; 4 * block < columns; ++block) {
    const Philox4x32 bits = random_block(noise.seed, noise.purpose, noise.clock.step, sample, block);
    float four[4];
    normal4(bits, four);
    for (int i = 0; i < 4; ++i) row.push_back(normal ? four[i] : uniform01(bits.v[i]));
  }
  row.resize(columns);
  return row;
}

TEST(Random, VectorCodeMatchesTheScalarFormula) {
  Noise noise{.seed = 0xfedcba9876543210ull, .purpose = RandomPurpose::test};
  noise.clock.step = 0x123456789ull;
  on_every_instruction_set([&] {
    for (const auto& [rows, columns] :
         {std::pair<int, int>{1, 1}, {1001, 2}, {77, 3}, {64, 100}, {300, 1021}}) {
      const auto normal = random_normal({rows, columns}, noise).to_vector();
      const auto uniform = random_uniform({rows, columns}, noise).to_vector();
      const auto wide = random_normal({rows, columns}, noise, 0, 1, DType::f64).to_doubles();
      double worst = 0;
      for (int r = 0; r < rows; ++r) {
        const auto normals = scalar_row(noise, r, columns, true),
                   uniforms = scalar_row(noise, r, columns, false);
        for (int i = 0; i < columns; ++i) {
          const auto at = static_cast<std::size_t>(r) * columns + i;
          worst = std::max(worst, std::abs(double{normal[at]} - normals[i]));
          ASSERT_EQ(uniform[at], uniforms[i]) << r << ", " << i;
          ASSERT_EQ(wide[at], double{normal[at]}) << r << ", " << i;
        }
      }
      EXPECT_LE(worst, 1e-6) << rows << " x " << columns;
    }
  });
}

// These samples were found by a search. The 23 bits from which a uniform number is made are all 0 or all 1:
// in word 0 of the first two samples, and in word 1 of the last two.
TEST(Random, NormalNumbersAreFiniteAtTheExtremeUniformNumbers) {
  Noise noise{.seed = 1, .purpose = RandomPurpose::test};
  const std::int32_t ends[] = {3833710, 190499, 4157987, 4787619};
  const auto bits = [&](int i, int word) {
    return random_block(1, noise.purpose, 0, ends[i], 0).v[word] >> 9;
  };
  ASSERT_TRUE(bits(0, 0) == 0 && bits(1, 0) == 0x7fffff && bits(2, 1) == 0 && bits(3, 1) == 0x7fffff);
  noise.samples = Tensor::from(ends, {4});
  on_every_instruction_set([&] {
    const auto drawn = random_normal({4, 2}, noise).to_vector();
    for (int r = 0; r < 4; ++r) {
      const auto expected = scalar_row(noise, ends[r], 2, true);
      for (int i = 0; i < 2; ++i) EXPECT_NEAR(drawn[2 * r + i], expected[i], 1e-6);
    }
    // sqrt(2 log(2^24)) is the largest radius that box_muller() can return.
    EXPECT_NEAR(std::hypot(drawn[0], drawn[1]), 5.7681, 1e-4);
  });
}

// A sample gets bit-identical numbers whether it is drawn alone, at any position in a batch, or with more
// columns.
TEST(Random, NumbersDoNotDependOnTheBatch) {
  const Noise noise{.seed = 5, .purpose = RandomPurpose::posterior_noise};
  on_every_instruction_set([&] {
    const auto all = random_normal({500, 7}, noise).to_vector();
    for (int columns : {1, 2, 4, 7})
      for (int first : {0, 1, 13, 496}) {
        Noise some = noise;
        some.first_sample = first;
        const int rows = std::min(19, 500 - first);
        const auto drawn = random_normal({rows, columns}, some).to_vector();
        for (int r = 0; r < rows; ++r)
          for (int i = 0; i < columns; ++i)
            ASSERT_EQ(drawn[r * columns + i], all[(first + r) * 7 + i]) << first << ", " << r << ", " << i;
      }
  });
}

TEST(Random, PurposeSeedStepAndSampleChangeTheNumbers) {
  const Noise base{.seed = 1, .purpose = RandomPurpose::test};
  Noise seed = base, purpose = base, time = base, sample = base;
  seed.seed = 2;
  purpose.purpose = RandomPurpose::prior;
  time.clock.step = 1;
  sample.first_sample = 1;
  std::set<std::vector<float>> distinct;
  for (const Noise& n : {base, seed, purpose, time, sample})
    distinct.insert(random_normal({1, 8}, n).to_vector());
  EXPECT_EQ(distinct.size(), 5u);
}

TEST(Random, NoiseBelongsToTheSampleNotToTheRow) {
  const Noise noise{.seed = 9, .purpose = RandomPurpose::posterior_noise};
  const auto all = random_normal({10, 3}, noise).to_vector();
  Noise from_four = noise;
  from_four.first_sample = 4;
  const auto some = random_normal({2, 3}, from_four).to_vector();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(some[i], all[12 + i]);
  const std::int32_t picked[] = {7, 0};
  Noise by_sample = noise;
  by_sample.samples = Tensor::from(picked, {2});
  const auto chosen = random_normal({2, 3}, by_sample).to_vector();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(chosen[i], all[21 + i]);
    EXPECT_EQ(chosen[3 + i], all[i]);
  }
}

TEST(Shuffle, IsAPermutationOfAnySizeAndDiffersByEpoch) {
  for (std::uint32_t n : {1u, 2u, 3u, 100u, 1800u, 60000u}) {
    std::vector<bool> seen(n, false);
    std::uint32_t moved = 0, changed = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::uint32_t s = shuffled_index(i, n, 42, 1);
      ASSERT_LT(s, n);
      ASSERT_FALSE(seen[s]);
      seen[s] = true;
      moved += s != i;
      changed += s != shuffled_index(i, n, 42, 2);
    }
    if (n >= 100) {
      EXPECT_GT(moved, n * 9 / 10);
      EXPECT_GT(changed, n * 9 / 10);
    }
  }
}

// A batch must be distributed like a random draw from the data set, so the mean of its indices must have the
// same variance.
TEST(Shuffle, BatchesAreSpreadOverTheDataSet) {
  constexpr std::uint32_t n = 60000, batch = 100;
  double squares = 0;
  int batches = 0;
  for (std::uint64_t epoch = 0; epoch < 5; ++epoch)
    for (std::uint32_t first = 0; first < n; first += batch, ++batches) {
      double mean = 0;
      for (std::uint32_t i = 0; i < batch; ++i) mean += shuffled_index(first + i, n, 7, epoch);
      const double deviation =
          (mean / batch - (n - 1) / 2.0) / (n / std::sqrt(12.0) / std::sqrt(double{batch}));
      squares += deviation * deviation;
    }
  EXPECT_NEAR(squares / batches, 1.0, 0.15);
}

}  // namespace
}  // namespace gpuvae
