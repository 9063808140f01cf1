// Calls the kernels of a likelihood.
#include "kernels/cpu/ops/likelihood.h"

#include "gpuvae/types.h"
#include "kernels/check.h"
#include "kernels/cpu/backend.h"

namespace gpuvae::kernels {
namespace {

LikelihoodKernels kernels_of(LikelihoodKind kind, DType dtype, const char* operation) {
  if (dtype != DType::f32 && dtype != DType::f64) fail(operation, "expected f32 or f64, got {}", name(dtype));
  const LikelihoodKernels real = real_likelihood(kind, dtype);
  return real.likelihood ? real : discrete_likelihood(kind, dtype);
}

}  // namespace

void CpuBackend::run(const LikelihoodArgs& g, StreamHandle) {
  kernels_of(g.likelihood.kind, g.dtype, "likelihood").likelihood(g);
}
void CpuBackend::run(const LogDensityArgs& g, StreamHandle) {
  kernels_of(g.likelihood.kind, g.dtype, "log_density").log_density(g);
}
void CpuBackend::run(const LogDensityBackwardArgs& b, StreamHandle) {
  kernels_of(b.forward.likelihood.kind, b.forward.dtype, "log_density_backward").log_density_backward(b);
}

}  // namespace gpuvae::kernels
