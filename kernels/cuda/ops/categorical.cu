// Log densities of categorical variables, and their gradient. Each warp computes a row, and each of its lanes
// some of the groups.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/categorical.h"

namespace gpuvae::kernels {
namespace {

__global__ void __launch_bounds__(kThreads) categorical_kernel(CategoricalArgs args) {
  const std::int64_t lane = threadIdx.x % 32;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const float* logits = static_cast<const float*>(args.logits) + row * args.columns;
    const float* target = static_cast<const float*>(args.target) + row / args.repeats * args.columns;
    double sum = 0;
    for (std::int64_t i = lane; i < args.groups; i += 32) {
      const int first = args.starts[i], columns = args.starts[i + 1] - first;
      sum += math::categorical_group(logits + first, target + first, columns).log_density;
    }
    sum = warp_sum(sum);
    if (lane == 0) static_cast<float*>(args.out)[row] = static_cast<float>(sum);
  }
}

__global__ void __launch_bounds__(kThreads) categorical_backward_kernel(CategoricalBackwardArgs args) {
  const CategoricalArgs& forward = args.forward;
  const std::int64_t lane = threadIdx.x % 32, columns = forward.columns;
  for (std::int64_t row = grid_thread() / 32; row < forward.rows; row += grid_threads() / 32) {
    const float* logits = static_cast<const float*>(forward.logits) + row * columns;
    const float* target = static_cast<const float*>(forward.target) + row / forward.repeats * columns;
    float* d_logits = static_cast<float*>(args.d_logits) + row * columns;
    const float weight = static_cast<const float*>(args.d_rows)[row];
    for (std::int64_t i = lane; i < forward.groups; i += 32) {
      const int first = forward.starts[i], count = forward.starts[i + 1] - first;
      const float *l = logits + first, *x = target + first;
      const auto of = math::categorical_group(l, x, count);
#pragma unroll 1  // unrolled, the loop spills a register for compute capability 8.0
      for (int j = 0; j < count; ++j)
        d_logits[first + j] = weight == 0.0f ? 0.0f : weight * math::categorical_slope(of, l[j], x[j]);
    }
  }
}

}  // namespace

void CudaBackend::run(const CategoricalArgs& args, StreamHandle stream) {
  require_f32("categorical", args.dtype);
  const DeviceGuard on(device_);
  launch({"categorical", "categorical_kernel", blocks(args.rows, kThreads / 32), kThreads,
          args.rows * args.columns, stream},
         categorical_kernel, args);
}

void CudaBackend::run(const CategoricalBackwardArgs& args, StreamHandle stream) {
  const CategoricalArgs& forward = args.forward;
  require_f32("categorical_backward", forward.dtype);
  const DeviceGuard on(device_);
  launch({"categorical_backward", "categorical_backward_kernel", blocks(forward.rows, kThreads / 32),
          kThreads, forward.rows * forward.columns, stream},
         categorical_backward_kernel, args);
}

}  // namespace gpuvae::kernels
