#include "apps/report/pca.h"

// Results must not depend on the number of threads.
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Dense>
#include <algorithm>

#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void check_points(std::span<const float> points, std::int64_t d) {
  check(d >= 2, "pca", "expected at least 2 dimensions, got {}", d);
  check(!points.empty() && points.size() % static_cast<std::size_t>(d) == 0, "pca",
        "expected points [n, {}] with n >= 1, got {} values", d, points.size());
}

}  // namespace

Pca fit_pca(std::span<const float> points, std::int64_t d) {
  check_points(points, d);
  const auto n = static_cast<std::int64_t>(points.size()) / d;
  const Eigen::Map<const Rows> x(points.data(), n, d);
  check(x.allFinite(), "pca", "expected finite points, got NaN or infinity");
  const Eigen::RowVectorXd mean = x.cast<double>().colwise().mean();
  const Eigen::MatrixXd centred = x.cast<double>().rowwise() - mean;
  const Eigen::MatrixXd covariance = centred.transpose() * centred / static_cast<double>(n);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);  // ascending eigenvalues
  check(solver.info() == Eigen::Success, "pca", "the eigendecomposition of the covariance did not converge");

  Pca pca;
  const Eigen::VectorXd variances = solver.eigenvalues().reverse().cwiseMax(0.0);
  const double total = variances.sum();
  for (std::int64_t i = 0; i < d; ++i) {
    pca.mean.push_back(static_cast<float>(mean[i]));
    pca.variance_share.push_back(total > 0 ? variances[i] / total : 0);
  }
  for (std::int64_t k = 0; k < 2; ++k) {
    Eigen::VectorXd direction = solver.eigenvectors().col(d - 1 - k);
    Eigen::Index largest = 0;
    direction.cwiseAbs().maxCoeff(&largest);
    if (direction[largest] < 0) direction = -direction;
    for (const double element : direction) pca.components.push_back(static_cast<float>(element));
  }
  return pca;
}

std::vector<float> Pca::project(std::span<const float> points) const {
  const auto d = static_cast<std::int64_t>(mean.size());
  check(d > 0 && points.size() % mean.size() == 0, "pca", "expected points [n, {}], got {} values", d,
        points.size());
  const std::int64_t n = static_cast<std::int64_t>(points.size()) / d;
  const Eigen::Map<const Rows> x(points.data(), n, d), directions(components.data(), 2, d);
  const Eigen::Map<const Eigen::RowVectorXf> centre(mean.data(), d);
  std::vector<float> projected(static_cast<std::size_t>(2 * n));
  Eigen::Map<Rows>(projected.data(), n, 2) =
      ((x.rowwise() - centre).cast<double>() * directions.cast<double>().transpose()).cast<float>();
  return projected;
}

}  // namespace gpuvae::apps
