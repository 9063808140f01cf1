// Cooperative groups: the toolkit's own header is empty without nvcc, so this one takes its place. Included
// by simt.h.
#pragma once

namespace cooperative_groups {

struct thread_block {
  static void sync(SIMT_HERE) { simt::block_barrier("thread_block::sync", false, where); }
  static unsigned thread_rank() {
    return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  }
  static unsigned num_threads() { return blockDim.x * blockDim.y * blockDim.z; }
  static unsigned size() { return num_threads(); }
};

struct grid_group {
  void sync(SIMT_HERE) const { simt::grid_barrier(where); }
  unsigned block_rank() const { return (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x; }
  unsigned num_blocks() const { return gridDim.x * gridDim.y * gridDim.z; }
  unsigned long long thread_rank() const {
    return block_rank() * 1ull * thread_block::size() + thread_block::thread_rank();
  }
  unsigned long long num_threads() const { return num_blocks() * 1ull * thread_block::size(); }
  unsigned long long size() const { return num_threads(); }
};

template <unsigned N>
struct thread_block_tile {
  static constexpr unsigned size() { return N; }
  static constexpr unsigned num_threads() { return N; }
  static unsigned thread_rank() { return unsigned(simt::lane()) % N; }
  static unsigned meta_group_rank() { return thread_block::thread_rank() / N; }
  static unsigned mask() { return unsigned((1ull << N) - 1) << (unsigned(simt::lane()) & ~(N - 1)); }
  void sync(SIMT_HERE) const { __syncwarp(mask(), where); }
  template <class T>
  T shfl(T v, int source, SIMT_HERE) const {
    return __shfl_sync(mask(), v, source, N, where);
  }
  template <class T>
  T shfl_xor(T v, int x, SIMT_HERE) const {
    return __shfl_xor_sync(mask(), v, x, N, where);
  }
  template <class T>
  T shfl_up(T v, unsigned delta, SIMT_HERE) const {
    return __shfl_up_sync(mask(), v, delta, N, where);
  }
  template <class T>
  T shfl_down(T v, unsigned delta, SIMT_HERE) const {
    return __shfl_down_sync(mask(), v, delta, N, where);
  }
};

inline thread_block this_thread_block() { return {}; }
inline grid_group this_grid() { return {}; }
template <unsigned N>
thread_block_tile<N> tiled_partition(thread_block) {
  return {};
}

}  // namespace cooperative_groups
