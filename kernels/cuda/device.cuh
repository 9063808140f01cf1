// Building blocks of the kernels: vectors of floats, grid-stride loops, and sums over warps, blocks and
// grids. All sums are in a fixed order.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/backend.h"

namespace gpuvae::kernels {

inline constexpr int kThreads = 256;  // per block, unless a kernel says otherwise

__host__ __device__ constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

namespace {

constexpr unsigned kWholeWarp = 0xffffffffu;

// The launch's dynamic shared memory, aligned to 16 bytes.
__device__ __forceinline__ float* dynamic_shared_floats() {
  extern __shared__ float4 dynamic_shared_memory[];
  return reinterpret_cast<float*>(dynamic_shared_memory);
}

// N consecutive floats. Four floats are loaded and stored by one 16-byte access.
template <int N>
struct Floats {
  float v[N];
  __device__ float& operator[](int i) { return v[i]; }
  __device__ const float& operator[](int i) const { return v[i]; }
};

template <int N>
__device__ __forceinline__ Floats<N> load(const float* p) {
  static_assert(N == 1 || N == 4);
  if constexpr (N == 4) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    return {{x.x, x.y, x.z, x.w}};
  } else {
    return {{*p}};
  }
}

// `p` must point to global memory, because __stwb() addresses only global memory. It is used because nvcc
// does not split it into smaller stores. tests/cuda/check_kernels.py checks that no such instruction has a
// shared address.
template <int N>
__device__ __forceinline__ void store(float* p, const Floats<N>& x) {
  if constexpr (N == 4) {
    __stwb(reinterpret_cast<float4*>(p), make_float4(x[0], x[1], x[2], x[3]));
  } else {
    *p = x[0];
  }
}

// Stores four floats to shared memory.
__device__ __forceinline__ void store_shared(float* p, const Floats<4>& x) {
  *reinterpret_cast<float4*>(p) = make_float4(x[0], x[1], x[2], x[3]);
}

// Returns the first `count` of four floats, and 0 for the others. If `Aligned` is true (rows are aligned and
// multiples of four), one access loads all four, whatever `count` is.
template <bool Aligned>
__device__ __forceinline__ Floats<4> load_some(const float* p, int count) {
  if constexpr (Aligned) {
    return load<4>(p);
  } else {
    Floats<4> x;
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] = k < count ? p[k] : 0.0f;
    return x;
  }
}

template <bool Aligned>
__device__ __forceinline__ void store_some(float* p, const Floats<4>& x, int count) {
  if constexpr (Aligned) {
    store(p, x);
  } else {
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (k < count) p[k] = x[k];
  }
}

template <int N>
__device__ __forceinline__ float sum_of(const Floats<N>& x) {
  if constexpr (N == 4) return (x[0] + x[1]) + (x[2] + x[3]);
  return x[0];
}

__device__ __forceinline__ std::int64_t grid_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t grid_threads() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

template <int N>
struct Width {
  static constexpr int value = N;
};

// Calls f(Width<4>, i) for groups of four elements if `vectors` is true, and f(Width<1>, i) for the rest.
template <class F>
__device__ __forceinline__ void for_elements(std::int64_t size, bool vectors, const F& f) {
  const std::int64_t groups = vectors ? size / 4 : 0;
  for (std::int64_t i = grid_thread(); i < groups; i += grid_threads()) f(Width<4>{}, 4 * i);
  for (std::int64_t i = 4 * groups + grid_thread(); i < size; i += grid_threads()) f(Width<1>{}, i);
}

// Four columns of a row, or its last one to three columns.
struct ColumnGroup {
  std::int64_t row, column;
  int count;
};

// Calls f(ColumnGroup) for every group of four columns of every row.
template <class F>
__device__ __forceinline__ void for_column_groups(std::int64_t rows, std::int64_t columns, const F& f) {
  const std::int64_t groups = ceil_div(columns, 4);
  for (std::int64_t i = grid_thread(); i < rows * groups; i += grid_threads()) {
    const std::int64_t row = i / groups, column = 4 * (i - row * groups), left = columns - column;
    f(ColumnGroup{row, column, left < 4 ? static_cast<int>(left) : 4});
  }
}

template <class T>
__device__ __forceinline__ T warp_sum(T v) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) v += __shfl_xor_sync(kWholeWarp, v, i);
  return v;
}

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, i));
  return v;
}

// Returns the sum over a one-dimensional block of whole warps, in every thread. Repeated calls are safe.
template <class T>
__device__ T block_sum(T v) {
  __shared__ T partial[32];
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  v = warp_sum(v);
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  v = warp_sum(lane < warps ? partial[lane] : T(0));
  __syncthreads();  // the next call writes partial again
  return v;
}

// Counts this block at `counter`. Returns true in all threads of the last of `blocks` blocks to arrive, and
// false in the others. Everything that the other blocks wrote before their calls is then visible to it. The
// counter wraps to 0 for the next launch.
__device__ __forceinline__ bool last_block(unsigned* counter, unsigned blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) last = atomicInc(counter, blocks - 1) == blocks - 1;
  __syncthreads();
  const bool result = last;
  if (result) __threadfence();
  return result;
}

// Sums `v` over the grid, in T within a block and in double across blocks. One thread calls finish(total).
template <class T, class F>
__device__ void grid_sum(T v, const Scratch& scratch, const F& finish) {
  double* partials = reinterpret_cast<double*>(scratch.partials);
  v = block_sum(v);
  if (threadIdx.x == 0) partials[blockIdx.x] = v;
  if (!last_block(scratch.counters, gridDim.x)) return;
  double total = 0;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) total += __ldcg(partials + i);
  total = block_sum(total);
  if (threadIdx.x == 0) finish(total);
}

}  // namespace
}  // namespace gpuvae::kernels
