// Principal component analysis: Pearson, 1901; Hotelling, 1933.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gpuvae::apps {

struct Pca {
  std::vector<float> mean;        // [d]
  std::vector<float> components;  // [2, d]: the two orthonormal directions of most variance
  std::vector<double>
      variance_share;  // [d]: of all components, falling; sums to 1, or all 0 without variance

  // [n, d] to [n, 2].
  std::vector<float> project(std::span<const float> points) const;
};

// points: [n, d], finite, n >= 1, d >= 2. Each component's element of largest magnitude is positive. Sums are
// f64. Takes d^2 memory and n d^2 time: meant for latent dimensions. Throws Error "[pca] expected ..., got
// ...".
Pca fit_pca(std::span<const float> points, std::int64_t d);

}  // namespace gpuvae::apps
