// The kernels of each likelihood. Every family of likelihoods has a separate file, because they take long to
// compile.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

struct LikelihoodKernels {
  void (*likelihood)(const LikelihoodArgs&);
  void (*log_density)(const LogDensityArgs&);
  void (*log_density_backward)(const LogDensityBackwardArgs&);
};

// Return the kernels for f32 or f64 and for the best instruction set of this processor. Those of a likelihood
// of another family are null.
LikelihoodKernels real_likelihood(LikelihoodKind kind, DType dtype);
LikelihoodKernels discrete_likelihood(LikelihoodKind kind, DType dtype);

}  // namespace gpuvae::kernels
