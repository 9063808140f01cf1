// Sums over a tensor, its rows or its columns, and the scale that clips a gradient's global norm.
#include "gpuvae/device/host_device.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/column_sum.cuh"

namespace gpuvae::kernels {
namespace {

__device__ __forceinline__ void write_sum(const ReduceArgs& args, std::int64_t i, double sum) {
  float* out = static_cast<float*>(args.out) + i;
  *out = static_cast<float>(args.scale * sum + (args.accumulate ? *out : 0.0f));
}

__global__ void __launch_bounds__(kThreads) sum_kernel(ReduceArgs args, bool vectors, Scratch scratch) {
  double sum = 0;
  for_elements(args.rows * args.columns, vectors, [&](auto width, std::int64_t i) {
    sum += sum_of(load<decltype(width)::value>(static_cast<const float*>(args.x) + i));
  });
  grid_sum(sum, scratch, [&](double total) { write_sum(args, 0, total); });
}

template <int N>
__global__ void __launch_bounds__(kColumnThreads* kRowThreads)
    sum_rows_kernel(ReduceArgs args, ColumnTiling tiling, Scratch scratch) {
  column_sum<N>(
      tiling, scratch,
      [&](std::int64_t row, std::int64_t column) {
        return load<N>(static_cast<const float*>(args.x) + row * args.columns + column);
      },
      [&](std::int64_t column, float sum) { write_sum(args, column, sum); });
}

// One warp per row, or one block per row if rows are long.
template <bool WholeBlock>
__global__ void __launch_bounds__(kThreads) sum_columns_kernel(ReduceArgs args) {
  const unsigned team = WholeBlock ? kThreads : 32, member = threadIdx.x % team;
  const std::int64_t stride = grid_threads() / team;
  for (std::int64_t row = grid_thread() / team; row < args.rows; row += stride) {
    const float* x = static_cast<const float*>(args.x) + row * args.columns;
    double sum = 0;
    for (std::int64_t i = member; i < args.columns; i += team) sum += x[i];
    sum = WholeBlock ? block_sum(sum) : warp_sum(sum);
    if (member == 0) write_sum(args, row, sum);
  }
}

// Squares are computed in double, because exploding gradients exceed the square root of the largest float.
// Returns whether a guarded update may be made with a gradient of this norm.
__device__ __forceinline__ bool is_finite(const ClipArgs& args, double norm) {
  bool finite = std::isfinite(static_cast<float>(norm * norm));
#pragma unroll
  for (const void* loss : args.losses) finite &= !loss || std::isfinite(*static_cast<const float*>(loss));
  return finite;
}

__global__ void __launch_bounds__(kThreads) clip_kernel(ClipArgs args, bool vectors, Scratch scratch) {
  double sum = 0;
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    const auto x = load<decltype(width)::value>(static_cast<const float*>(args.x) + i);
#pragma unroll
    for (const float& each : x.v) sum += static_cast<double>(each) * each;
  });
  grid_sum(sum, scratch, [&](double total) {
    const double norm = math::sqrt(total);
    *static_cast<float*>(args.norm) = static_cast<float>(norm);
    const double scale = norm <= args.max_norm ? 1.0 : args.max_norm / norm;  // NaN if the norm is NaN
    *static_cast<float*>(args.scale) =
        args.guard && !is_finite(args, scale * norm) ? NAN : static_cast<float>(scale);
  });
}

}  // namespace

void CudaBackend::run(const ReduceArgs& args, StreamHandle stream) {
  require_f32("reduce", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = args.rows * args.columns;
  const bool aligned = aligned16(args.x);
  if (args.axis == Axis::rows) {
    const int width = aligned && args.columns % 4 == 0 ? 4 : 1;
    const ColumnTiling tiling = column_tiling(args.rows, args.columns, width, 4 * multiprocessors_);
    launch({"reduce", "sum_rows_kernel", tiling.row_tiles * tiling.column_tiles,
            dim3(kColumnThreads, kRowThreads), size, stream},
           width == 4 ? sum_rows_kernel<4> : sum_rows_kernel<1>, args, tiling, scratch(stream));
  } else if (args.axis == Axis::columns && args.rows != 1) {
    const bool long_rows = args.columns >= 1024;
    launch({"reduce", "sum_columns_kernel", blocks(args.rows, long_rows ? 1 : kThreads / 32), kThreads, size,
            stream},
           long_rows ? sum_columns_kernel<true> : sum_columns_kernel<false>, args);
  } else {
    const std::int64_t grid = blocks(size, kThreads * (aligned ? 4 : 1), 1);
    launch({"reduce", "sum_kernel", grid, kThreads, size, stream}, sum_kernel, args, aligned,
           scratch(stream));
  }
}

void CudaBackend::run(const ClipArgs& args, StreamHandle stream) {
  require_f32("clip", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = aligned16(args.x);
  const std::int64_t grid = blocks(args.size, kThreads * (aligned ? 4 : 1), 1);
  launch({"clip", "clip_kernel", grid, kThreads, args.size, stream}, clip_kernel, args, aligned,
         scratch(stream));
}

}  // namespace gpuvae::kernels
