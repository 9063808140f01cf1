// Kernels for the tests of the emulated libraries, as plain functions on device pointers.
#pragma once

#include <cuda_runtime_api.h>

cudaError_t copy(const float* in, float* out, int n, cudaStream_t stream = nullptr);

// Computes the sum of in[0 ... n - 1] in one launch: the block that finishes last adds the partial sums.
constexpr int kSumBlocks = 5, kSumThreads = 64;
cudaError_t sum(const float* in, float* partial, unsigned* ticket, float* out, int n,
                cudaStream_t stream = nullptr);

// Writes `value` to out[0 ... 31] with a <<<...>>> launch.
void fill_by_chevrons(float* out, float value, cudaStream_t stream);

// Launches an empty kernel, which has 40 KiB of static shared memory if `static_shared` is true.
cudaError_t launch_of_shape(dim3 grid, dim3 block, std::size_t dynamic_bytes, bool static_shared = false);
cudaError_t allow_dynamic_shared(int bytes);
// Launches a kernel that is bounded to 64 threads per block.
cudaError_t launch_bounded(dim3 block);
