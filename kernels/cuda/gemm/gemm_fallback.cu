// Kernels for matrix products that cuBLASLt does not support, which use 16 x 16 tiles in shared memory, and
// for epilogues that cuBLASLt lacks.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/functions.h"

namespace gpuvae::kernels {
namespace {

constexpr int kTile = 16;

// Returns element (row, column) of a row-major matrix or of its transpose, and 0 outside.
__device__ __forceinline__ float element(const void* matrix, bool transposed, std::int64_t row,
                                         std::int64_t column, std::int64_t rows, std::int64_t columns) {
  if (row >= rows || column >= columns) return 0.0f;
  return static_cast<const float*>(matrix)[transposed ? column * rows + row : row * columns + column];
}

__device__ __forceinline__ void write_element(const GemmArgs& args, std::int64_t row, std::int64_t column,
                                              float sum) {
  if (row >= args.m || column >= args.n) return;
  const std::int64_t at = row * args.n + column;
  float* c = static_cast<float*>(args.c) + at;
  if (args.bias) sum += static_cast<const float*>(args.bias)[column];
  if (args.activation_input) static_cast<float*>(args.activation_input)[at] = sum;
  sum = math::activate(args.activation, sum);
  *c = args.accumulate ? *c + sum : sum;
}

__global__ void __launch_bounds__(kTile* kTile)
    gemm_kernel(GemmArgs args, std::int64_t tiles, std::int64_t column_tiles) {
  // The padding keeps the elements of a column in different banks.
  __shared__ float a[kTile][kTile + 1], b[kTile][kTile + 1];
  const int x = threadIdx.x, y = threadIdx.y;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t row = tile / column_tiles * kTile, column = tile % column_tiles * kTile;
    float sum = 0.0f;
    for (std::int64_t k = 0; k < args.k; k += kTile) {
      // Neighbouring threads read neighbouring addresses, whether or not a matrix is transposed.
      const int a_row = args.transpose_a ? x : y, a_column = args.transpose_a ? y : x;
      const int b_row = args.transpose_b ? x : y, b_column = args.transpose_b ? y : x;
      a[a_row][a_column] = element(args.a, args.transpose_a, row + a_row, k + a_column, args.m, args.k);
      b[b_row][b_column] = element(args.b, args.transpose_b, k + b_row, column + b_column, args.k, args.n);
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kTile; ++i) sum += a[y][i] * b[i][x];
      __syncthreads();
    }
    write_element(args, row + y, column + x, sum);
  }
}

// As in kernels/cuda/ops/activation.cu, activations whose slope is computed from the input have a separate
// kernel. It also stores the activation's input if requested.
template <bool kFromOutput>
__global__ void __launch_bounds__(kThreads) bias_activation_kernel(GemmArgs args, bool vectors) {
  const float* bias = static_cast<const float*>(args.bias);
  for_elements(args.m * args.n, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    float* c = static_cast<float*>(args.c) + i;
    Floats<kWidth> x = load<kWidth>(c);
    const std::int64_t column = i % args.n;
#pragma unroll
    for (int k = 0; k < kWidth; ++k) x[k] = bias ? x[k] + bias[column + k] : x[k];
    if constexpr (kFromOutput) {
      math::apply<math::SlopeFromOutput>(args.activation, x.v);
    } else {
      if (args.activation_input) store(static_cast<float*>(args.activation_input) + i, x);
      math::apply<math::SlopeFromInput>(args.activation, x.v);
    }
    store(c, x);
  });
}

}  // namespace

void CudaBackend::gemm_tiled(const GemmArgs& args, StreamHandle stream) {
  const std::int64_t column_tiles = ceil_div(args.n, kTile), tiles = ceil_div(args.m, kTile) * column_tiles;
  launch({"gemm", "gemm_kernel", blocks(tiles, 1), dim3(kTile, kTile), args.m * args.n, stream}, gemm_kernel,
         args, tiles, column_tiles);
}

void CudaBackend::add_bias_and_activate(const GemmArgs& args, StreamHandle stream) {
  const bool vectors = args.n % 4 == 0 && aligned16(args.c, args.activation_input);
  const std::int64_t size = args.m * args.n;
  launch(
      {"gemm", "bias_activation_kernel", blocks(size, kThreads * (vectors ? 4 : 1)), kThreads, size, stream},
      math::slope_from_output(args.activation) ? bias_activation_kernel<true> : bias_activation_kernel<false>,
      args, vectors);
}

}  // namespace gpuvae::kernels
