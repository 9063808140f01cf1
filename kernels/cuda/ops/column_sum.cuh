// Sums over the rows of a matrix, deterministic for any number of rows. Blocks of 32 x 8 threads sum tiles of
// rows, and the last block of a column of tiles adds the sums of these tiles in order.
#pragma once

#include "kernels/cuda/device.cuh"

namespace gpuvae::kernels {

inline constexpr int kColumnThreads = 32, kRowThreads = 8;

struct ColumnTiling {
  std::int64_t rows, columns;
  std::int64_t rows_per_tile, row_tiles, column_tiles;  // row_tiles * column_tiles blocks
};

// Returns the tiling for `width` columns per thread. The number of tiles is about `most_blocks`, less if the
// scratch memory is too small or tiles would have fewer than 16 rows, and more if tiles would have more than
// 1024 rows, whose sums would be less accurate.
inline ColumnTiling column_tiling(std::int64_t rows, std::int64_t columns, int width,
                                  std::int64_t most_blocks) {
  const std::int64_t column_tiles = ceil_div(columns, kColumnThreads * width);
  const auto bounded = [](std::int64_t x, std::int64_t low, std::int64_t high) {
    return x > high ? high : (x < low ? low : x);
  };
  std::int64_t row_tiles = 1;
  if (column_tiles > 0 && column_tiles <= kCounters && columns <= kPartials) {
    row_tiles = bounded(most_blocks / column_tiles, ceil_div(rows, 1024), ceil_div(rows, 2 * kRowThreads));
    row_tiles = bounded(row_tiles, 1, kPartials / columns);
  }
  const std::int64_t rows_per_tile = ceil_div(rows, row_tiles);
  if (rows_per_tile > 0) row_tiles = ceil_div(rows, rows_per_tile);
  return {rows, columns, rows_per_tile, row_tiles, column_tiles};
}

namespace {

// Returns the sum over the rows first, ..., last - 1 of one of the block's columns, number `threadIdx.y * 32
// + threadIdx.x`, and 0 in threads beyond the last column. load(row, column) returns Floats<N>.
template <int N, class Load>
__device__ float tile_sum(std::int64_t first, std::int64_t last, std::int64_t column, std::int64_t columns,
                          const Load& load) {
  __shared__ float sums[kRowThreads][kColumnThreads * N];
  Floats<N> sum{};
  if (column < columns) {
    for (std::int64_t row = first + threadIdx.y; row < last; row += kRowThreads) {
      const Floats<N> x = load(row, column);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += x[k];
    }
  }
#pragma unroll
  for (int k = 0; k < N; ++k) sums[threadIdx.y][threadIdx.x * N + k] = sum[k];
  __syncthreads();
  const unsigned mine = threadIdx.y * kColumnThreads + threadIdx.x;
  float total = 0;
  if (mine < kColumnThreads * N) {
#pragma unroll
    for (int y = 0; y < kRowThreads; ++y) total += sums[y][mine];
  }
  __syncthreads();  // the next call writes sums again
  return total;
}

// Calls finish(column, sum) for every column, each in one thread.
template <int N, class Load, class Finish>
__device__ void column_sum(const ColumnTiling& t, const Scratch& scratch, const Load& load_values,
                           const Finish& finish) {
  const std::int64_t column_tile = blockIdx.x % t.column_tiles, row_tile = blockIdx.x / t.column_tiles;
  const std::int64_t start = column_tile * kColumnThreads * N, first = row_tile * t.rows_per_tile;
  const std::int64_t last = first + t.rows_per_tile < t.rows ? first + t.rows_per_tile : t.rows;
  const std::int64_t column = start + threadIdx.x * N;
  const unsigned mine = threadIdx.y * kColumnThreads + threadIdx.x;
  const bool owner = mine < kColumnThreads * N && start + mine < t.columns;
  float sum = tile_sum<N>(first, last, column, t.columns, load_values);
  if (t.row_tiles > 1) {
    if (owner) scratch.partials[row_tile * t.columns + start + mine] = sum;
    if (!last_block(scratch.counters + column_tile, static_cast<unsigned>(t.row_tiles))) return;
    sum = tile_sum<N>(0, t.row_tiles, column, t.columns, [&](std::int64_t tile, std::int64_t c) {
      return load<N>(scratch.partials + tile * t.columns + c);
    });
  }
  if (owner) finish(start + mine, sum);
}

}  // namespace
}  // namespace gpuvae::kernels
