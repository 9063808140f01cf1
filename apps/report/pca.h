// Principal component analysis: Pearson, 1901; Hotelling, 1933.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gpuvae::apps {

struct Pca {
  std::vector<float> mean;        // [d]
  std::vector<float> components;  // [2, d]: the two orthonormal directions of most variance
  // [d]: each component's share of the variance, in falling order. The sum is 1, or 0 if the points are
  // equal.
  std::vector<double> variance_share;

  // Projects points [n, d] onto the two components, [n, 2].
  std::vector<float> project(std::span<const float> points) const;
};

// `points` is [n, d], finite, with n >= 1 and d >= 2. The element of largest magnitude of each component is
// positive. Sums are f64. It needs d^2 memory and n d^2 time, which suits latent dimensions. Throws Error
// "[pca] expected ..., got ...".
Pca fit_pca(std::span<const float> points, std::int64_t d);

}  // namespace gpuvae::apps
