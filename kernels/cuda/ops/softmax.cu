// Softmax and log-sum-exp of rows.
#include "gpuvae/device/host_device.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

// Returns the maximum over a block of kThreads threads, in every thread. Repeated calls are safe.
__device__ float block_max(float v) {
  __shared__ float partial[kThreads / 32];
  v = warp_max(v);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  v = partial[0];
#pragma unroll
  for (int i = 1; i < kThreads / 32; ++i) v = fmaxf(v, partial[i]);
  __syncthreads();
  return v;
}

// One warp per row, or one block per row if rows are long. Each pass reads the row again, usually from the
// cache. fmaxf ignores NaN, but the sum includes it.
template <bool WholeBlock>
__global__ void __launch_bounds__(kThreads) softmax_kernel(SoftmaxArgs args) {
  const unsigned team = WholeBlock ? kThreads : 32, member = threadIdx.x % team;
  const std::int64_t stride = grid_threads() / team;
  const float infinity = __int_as_float(0x7f800000);
  for (std::int64_t row = grid_thread() / team; row < args.rows; row += stride) {
    const float* x = static_cast<const float*>(args.x) + row * args.columns;
    float largest = -infinity;
    for (std::int64_t i = member; i < args.columns; i += team) largest = fmaxf(largest, x[i]);
    largest = WholeBlock ? block_max(largest) : warp_max(largest);
    const float shift = fabsf(largest) == infinity ? 0.0f : largest;
    double sum = 0;
    for (std::int64_t i = member; i < args.columns; i += team) sum += math::exp(x[i] - shift);
    sum = WholeBlock ? block_sum(sum) : warp_sum(sum);
    const float total = static_cast<float>(sum);
    if (args.log_sum_exp && member == 0)
      static_cast<float*>(args.log_sum_exp)[row] = shift + math::log(total);
    if (!args.softmax) continue;
    float* softmax = static_cast<float*>(args.softmax) + row * args.columns;
    const float scale = total == 0.0f ? 0.0f : 1.0f / total;
    for (std::int64_t i = member; i < args.columns; i += team) softmax[i] = math::exp(x[i] - shift) * scale;
  }
}

}  // namespace

void CudaBackend::run(const SoftmaxArgs& args, StreamHandle stream) {
  require_f32("softmax", args.dtype);
  const DeviceGuard on(device_);
  const bool long_rows = args.columns >= 1024;
  launch({"softmax", "softmax_kernel", blocks(args.rows, long_rows ? 1 : kThreads / 32), kThreads,
          args.rows * args.columns, stream},
         long_rows ? softmax_kernel<true> : softmax_kernel<false>, args);
}

}  // namespace gpuvae::kernels
