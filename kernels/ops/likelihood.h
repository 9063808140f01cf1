// Likelihoods: value and gradient in one pass, and log densities row by row.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// What x is, and which distribution it is a parameter of.
enum class BceKind : std::uint8_t {
  logits,             // Bernoulli
  probabilities,      // Bernoulli
  continuous_logits,  // continuous Bernoulli
};
// *loss = weight * sum of the pixels' negative log likelihood; the gradient, weight * slope, in the same
// pass.
struct BceArgs {
  DType dtype = DType::f32;
  BceKind kind = BceKind::logits;
  std::int64_t size = 0;
  double weight = 1;
  const void* x = nullptr;
  const void* target = nullptr;
  void* loss = nullptr;  // [1]
  void* d_x = nullptr;   // or null

  double bytes() const { return size_in_bytes(dtype, static_cast<double>(size) * (d_x ? 3 : 2) + 1); }
};
// params is [rows, 2 columns]: mean (its logit if sigmoid_mean), then log variance, clipped to [low, high].
struct GaussianNllArgs {
  DType dtype = DType::f32;
  bool sigmoid_mean = true;
  std::int64_t rows = 0, columns = 0;
  double low = -5, high = 5, weight = 1;
  const void* params = nullptr;
  const void* target = nullptr;  // [rows, columns]
  void* loss = nullptr;          // [1]
  void* d_params = nullptr;      // or null

  double bytes() const { return size_in_bytes(dtype, times(rows, columns) * (d_params ? 5 : 3) + 1); }
};

enum class Density : std::uint8_t {
  bernoulli,             // params [rows, columns]: logits
  continuous_bernoulli,  // likewise
  gaussian,              // params [rows, 2 columns], as in GaussianNllArgs
};
// out[r] = the sum over columns of log p(target[r / repeats] | params[r]): a row of the target stands for
// `repeats` rows of parameters.
struct LogDensityArgs {
  DType dtype = DType::f32;
  Density density = Density::bernoulli;
  std::int64_t rows = 0, columns = 0, repeats = 1;
  bool sigmoid_mean = true;  // this and the bounds: of the Gaussian
  double low = -5, high = 5;
  const void* params = nullptr;
  const void* target = nullptr;  // [rows / repeats, columns]
  void* out = nullptr;           // [rows]

  double bytes() const {
    const double matrices = (density == Density::gaussian ? 2 : 1) + 1 / static_cast<double>(repeats);
    return size_in_bytes(dtype, times(rows, columns) * matrices + static_cast<double>(rows));
  }
};

}  // namespace gpuvae::kernels
