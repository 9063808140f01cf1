// Copies of columns, transposition, repeated rows and their sums.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

__global__ void __launch_bounds__(kThreads) copy_columns_kernel(ColumnsArgs args) {
  const float* x = static_cast<const float*>(args.x);
  float* out = static_cast<float*>(args.out);
  const std::int64_t size = args.rows * args.columns, stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    const std::int64_t row = i / args.columns, column = i % args.columns;
    float& to = out[row * args.out_width + args.out_first + column];
    const float from = x[row * args.x_width + args.x_first + column];
    to = args.accumulate ? to + from : from;
  }
}

constexpr int kTile = 32, kTileRows = kThreads / kTile;

// Tiles pass through shared memory, so that reads and writes are both along rows. The padding keeps the
// threads of a warp on different banks when they read a column of the tile.
__global__ void __launch_bounds__(kThreads) transpose_kernel(TransposeArgs args) {
  __shared__ float tile[kTile][kTile + 1];
  const float* x = static_cast<const float*>(args.x);
  float* out = static_cast<float*>(args.out);
  const int lane = threadIdx.x % kTile, first = threadIdx.x / kTile;
  const std::int64_t across = ceil_div(args.columns, kTile), tiles = across * ceil_div(args.rows, kTile);
  for (std::int64_t i = blockIdx.x; i < tiles; i += gridDim.x) {
    const std::int64_t top = i / across * kTile, left = i % across * kTile;
    for (int y = first; y < kTile; y += kTileRows)
      if (top + y < args.rows && left + lane < args.columns)
        tile[y][lane] = x[(top + y) * args.columns + left + lane];
    __syncthreads();
    for (int y = first; y < kTile; y += kTileRows)
      if (left + y < args.columns && top + lane < args.rows)
        out[(left + y) * args.rows + top + lane] = tile[lane][y];
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads) repeat_rows_kernel(RepeatRowsArgs args) {
  const float* x = static_cast<const float*>(args.x);
  float* out = static_cast<float*>(args.out);
  const std::int64_t size = args.rows * args.times * args.columns;
  for (std::int64_t i = grid_thread(); i < size; i += grid_threads()) {
    const std::int64_t row = i / args.columns, column = i - row * args.columns;
    out[i] = x[row / args.times * args.columns + column];
  }
}

__global__ void __launch_bounds__(kThreads) sum_repeats_kernel(SumRepeatsArgs args) {
  const float* x = static_cast<const float*>(args.x);
  float* out = static_cast<float*>(args.out);
  const std::int64_t size = args.rows * args.columns;
  for (std::int64_t i = grid_thread(); i < size; i += grid_threads()) {
    const std::int64_t row = i / args.columns, column = i - row * args.columns;
    const float* first = x + row * args.times * args.columns + column;
    float sum = 0;
    for (std::int64_t k = 0; k < args.times; ++k) sum += first[k * args.columns];
    out[i] = sum;
  }
}

}  // namespace

void CudaBackend::run(const ColumnsArgs& args, StreamHandle stream) {
  require_f32("columns", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = args.rows * args.columns;
  launch({"columns", "copy_columns_kernel", blocks(size, kThreads), kThreads, size, stream},
         copy_columns_kernel, args);
}

void CudaBackend::run(const TransposeArgs& args, StreamHandle stream) {
  require_f32("transpose", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t tiles = ceil_div(args.rows, kTile) * ceil_div(args.columns, kTile);
  launch({"transpose", "transpose_kernel", blocks(tiles, 1), kThreads, args.rows * args.columns, stream},
         transpose_kernel, args);
}

void CudaBackend::run(const RepeatRowsArgs& args, StreamHandle stream) {
  require_f32("repeat_rows", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = args.rows * args.times * args.columns;
  launch({"repeat_rows", "repeat_rows_kernel", blocks(size, kThreads), kThreads, size, stream},
         repeat_rows_kernel, args);
}

void CudaBackend::run(const SumRepeatsArgs& args, StreamHandle stream) {
  require_f32("sum_repeats", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = args.rows * args.columns;
  launch({"sum_repeats", "sum_repeats_kernel", blocks(size, kThreads), kThreads, size, stream},
         sum_repeats_kernel, args);
}

}  // namespace gpuvae::kernels
