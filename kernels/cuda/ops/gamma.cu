#include "kernels/cuda/ops/gamma.h"

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/gamma.h"

namespace gpuvae::kernels {
namespace {

__global__ void __launch_bounds__(kThreads) gamma_kernel(UnaryArgs args) {
  const float* x = static_cast<const float*>(args.x);
  float* y = static_cast<float*>(args.y);
  for (std::int64_t i = grid_thread(); i < args.size; i += grid_threads())
    y[i] = args.operation == Unary::lgamma ? math::lgamma(x[i]) : math::digamma(x[i]);
}

__global__ void __launch_bounds__(kThreads) gamma_backward_kernel(UnaryBackwardArgs args) {
  const float* x = static_cast<const float*>(args.saved);
  const float* d_y = static_cast<const float*>(args.d_y);
  float* d_x = static_cast<float*>(args.d_x);
  for (std::int64_t i = grid_thread(); i < args.size; i += grid_threads())
    d_x[i] = d_y[i] * (args.operation == Unary::lgamma ? math::digamma(x[i]) : math::trigamma(x[i]));
}

}  // namespace

void launch_gamma(const UnaryArgs& args, std::int64_t blocks, StreamHandle stream) {
  launch({"unary", "gamma_kernel", blocks, kThreads, args.size, stream}, gamma_kernel, args);
}
void launch_gamma_backward(const UnaryBackwardArgs& args, std::int64_t blocks, StreamHandle stream) {
  launch({"unary_backward", "gamma_backward_kernel", blocks, kThreads, args.size, stream},
         gamma_backward_kernel, args);
}

}  // namespace gpuvae::kernels
