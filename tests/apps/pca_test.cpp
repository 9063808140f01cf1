#include "apps/report/pca.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;

// The points are mean +- 3 u and mean +- v with u = (0.6, 0, -0.8) and v = (0, 1, 0). The variances are 9/2
// and 1/2, and 0 along the third axis.
const std::vector<float> kMean = {10, -20, 5};
const std::vector<float> kPoints = {11.8f, -20, 2.6f, 8.2f, -20, 7.4f, 10, -19, 5, 10, -21, 5};

TEST(Pca, FindsTheAxesOfAKnownCovariance) {
  const Pca pca = fit_pca(kPoints, 3);
  // The sign convention makes the element of largest magnitude positive, which gives -u.
  const std::vector<float> components = {-0.6f, 0, 0.8f, 0, 1, 0};
  const std::vector<double> shares = {0.9, 0.1, 0};
  ASSERT_EQ(pca.mean.size(), 3u);
  ASSERT_EQ(pca.components.size(), 6u);
  ASSERT_EQ(pca.variance_share.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(pca.mean[i], kMean[i], 1e-5);
    EXPECT_NEAR(pca.variance_share[i], shares[i], 1e-6);
  }
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(pca.components[i], components[i], 1e-6);
}

TEST(Pca, ProjectsOntoTheAxesFromTheMean) {
  const Pca pca = fit_pca(kPoints, 3);
  const std::vector<float> projected = pca.project(kPoints), expected = {-3, 0, 3, 0, 0, 1, 0, -1};
  ASSERT_EQ(projected.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(projected[i], expected[i], 1e-5);
  EXPECT_EQ(pca.project(pca.mean), (std::vector<float>{0, 0}));
  EXPECT_TRUE(pca.project({}).empty());
}

TEST(Pca, KeepsAllVarianceOfManyDimensionsInItsShares) {
  constexpr int kN = 200, kD = 30;
  std::vector<float> points;
  for (int i = 0; i < kN; ++i)
    for (int j = 0; j < kD; ++j)
      points.push_back(static_cast<float>((j + 1) * std::sin(1.7 * i * (j + 3) + j)));
  const Pca pca = fit_pca(points, kD);
  double sum = 0, before = 1;
  for (const double share : pca.variance_share) {
    EXPECT_TRUE(share >= 0 && share <= before);
    sum += before = share;
  }
  EXPECT_NEAR(sum, 1, 1e-12);
  // The variance of the projection is that share of the points' variance.
  double total = 0, first = 0;
  const std::vector<float> projected = pca.project(points);
  for (int i = 0; i < kN; ++i) {
    first += projected[2 * i] * projected[2 * i];
    for (int j = 0; j < kD; ++j) total += std::pow(points[i * kD + j] - pca.mean[j], 2);
  }
  EXPECT_NEAR(first / total, pca.variance_share[0], 1e-6);
  EXPECT_EQ(fit_pca(points, kD).components, pca.components);
}

TEST(Pca, PointsWithoutVarianceHaveZeroShares) {
  const Pca pca = fit_pca(std::vector<float>{1, 2, 1, 2}, 2);
  EXPECT_EQ(pca.variance_share, (std::vector<double>{0, 0}));
  EXPECT_EQ(pca.project(std::vector<float>{1, 2}), (std::vector<float>{0, 0}));
}

TEST(Pca, RefusesInvalidPoints) {
  EXPECT_EQ(error_of([] {
              fit_pca(std::vector<float>{1, 2}, 1);
            }),
            "[pca] expected at least 2 dimensions, got 1");
  EXPECT_EQ(error_of([] { fit_pca({}, 2); }), "[pca] expected points [n, 2] with n >= 1, got 0 values");
  EXPECT_EQ(error_of([] { fit_pca(std::vector<float>(5), 2); }),
            "[pca] expected points [n, 2] with n >= 1, got 5 values");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_of([&] {
              fit_pca(std::vector<float>{1, nan}, 2);
            }),
            "[pca] expected finite points, got NaN or infinity");
  const Pca pca = fit_pca(kPoints, 3);
  EXPECT_EQ(error_of([&] { pca.project(std::vector<float>(4)); }),
            "[pca] expected points [n, 3], got 4 values");
}

}  // namespace
}  // namespace gpuvae::apps
