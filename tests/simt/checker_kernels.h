// Kernels with a bug planted on request, as plain functions on device pointers. Each without its bug is
// correct.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

enum class Bug { none, planted };

cudaError_t copy(const float* in, float* out, int n, Bug one_too_far, cudaStream_t stream = nullptr);
// The four stage one float a thread in shared or global memory, and read another thread's.
constexpr int kReversed = 64, kReversedInWarp = 32;
cudaError_t reverse(const float* in, float* out, Bug no_syncthreads, cudaStream_t stream = nullptr);
cudaError_t reverse_in_warp(const float* in, float* out, Bug no_syncwarp);
cudaError_t stage_static(const float* in, float* out, Bug one_too_far);
cudaError_t stage_dynamic(const float* in, float* out, Bug one_too_far);

// A sum in one launch: the block that finishes last adds the partial sums.
constexpr int kSumBlocks = 5, kSumThreads = 64;
cudaError_t sum(const float* in, float* partial, unsigned* ticket, float* out, int n, Bug no_fence,
                cudaStream_t stream = nullptr);
cudaError_t count_below(const float* in, int* count, int n, float limit, Bug plain_add);

cudaError_t half_at_barrier(float* out, Bug half_has_left);
cudaError_t sum_of_warp(const float* in, float* out, int n, Bug lanes_beyond_n_leave);
cudaError_t scale_by_four(float* x, int quads, Bug misaligned);
cudaError_t total_in_grid(const float* in, float* partial, float* out, int n, int blocks, Bug no_grid_sync);
cudaError_t wait_for_flag(unsigned* flag, Bug nobody_sets_it);

struct Intrinsics {  // what `intrinsics` computes, in thread 0 of one warp
  double shuffled_double;
  std::uint64_t shuffled_word, high_product, from_lane_three;
  unsigned ballot, reversed_bits, ticket, any, all;
  int total, rounded, mixed_minimum;
  float root, quotient, inverse_root, read, parameter;
};
cudaError_t intrinsics(const float* in, unsigned* counter, Intrinsics* out);

cudaError_t launch_of_shape(dim3 grid, dim3 block, std::size_t dynamic_bytes, bool cooperative = false);
cudaError_t allow_dynamic_shared(int bytes);
