// Likelihoods with the formulas of kernels/math/likelihood.h: the negative log likelihood of all elements
// with its gradient, and the log density per row. `params` is [rows, parameters * columns].
#pragma once

#include <cstdint>

#include "kernels/math/likelihood.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// *loss = weight * sum of the elements' negative log likelihoods. The same pass computes its gradient,
// d_params.
struct LikelihoodArgs {
  DType dtype = DType::f32;
  LikelihoodOptions likelihood = {};
  std::int64_t rows = 0, columns = 0;
  double weight = 1;
  const void* params = nullptr;
  const void* target = nullptr;  // [rows, columns]
  void* loss = nullptr;          // [1]
  void* d_params = nullptr;      // [rows, parameters * columns], or null

  double bytes() const {
    const int matrices = parameters_of(likelihood.kind) * (d_params ? 2 : 1) + 1;
    return size_in_bytes(dtype, times(rows, columns) * matrices + 1);
  }
};

// out[r] = the sum over columns of log p(target[r / repeats] | params[r]). Each row of the target belongs to
// `repeats` rows of parameters.
struct LogDensityArgs {
  DType dtype = DType::f32;
  LikelihoodOptions likelihood = {};
  std::int64_t rows = 0, columns = 0, repeats = 1;
  const void* params = nullptr;
  const void* target = nullptr;  // [rows / repeats, columns]
  void* out = nullptr;           // [rows]

  double bytes() const {
    const double matrices = parameters_of(likelihood.kind) + 1 / static_cast<double>(repeats);
    return size_in_bytes(dtype, times(rows, columns) * matrices + static_cast<double>(rows));
  }
};

}  // namespace gpuvae::kernels
