// Arguments of the likelihood kernels: the negative log likelihood of all elements with its gradient, and the
// log density per row with the gradient in a second kernel. The formulas are in kernels/math/likelihood.h.
// `params` is [rows, parameters * columns] with parameters = parameters_of(kind).
#pragma once

#include <cstdint>

#include "kernels/math/likelihood.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// *loss = weight * sum of the elements' negative log likelihoods. The same pass computes d_params, the
// gradient of *loss.
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
// The gradient with respect to params: d_params[r] = d_rows[r] * d log p(target[r / repeats] | params[r]) / d
// params[r]. Where d_rows is 0, so is the gradient, even if a derivative is infinite: importance weights may
// be 0 because the density is.
struct LogDensityBackwardArgs {
  LogDensityArgs forward = {};   // `out` is unused
  const void* d_rows = nullptr;  // [rows], the gradient with respect to `out`
  void* d_params = nullptr;      // [rows, parameters * columns]

  double bytes() const {
    const LogDensityArgs& g = forward;
    const double matrices = 2 * parameters_of(g.likelihood.kind) + 1 / static_cast<double>(g.repeats);
    return size_in_bytes(g.dtype, times(g.rows, g.columns) * matrices + static_cast<double>(g.rows));
  }
};

}  // namespace gpuvae::kernels
