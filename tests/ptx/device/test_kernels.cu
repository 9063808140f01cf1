#include "test_kernels.h"

#include <cuda_runtime.h>

#include <utility>

namespace {

template <class... Params, class... Args>
cudaError_t launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t dynamic_bytes,
                   cudaStream_t stream, Args&&... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = dynamic_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...);
}

__global__ void copy_kernel(const float* __restrict__ in, float* __restrict__ out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i];
}

__device__ float block_sum(float v) {
  __shared__ float partial[2];
  for (int i = 16; i > 0; i /= 2) v += __shfl_xor_sync(0xffffffffu, v, i);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  v = partial[0] + partial[1];
  __syncthreads();
  return v;
}

__global__ void sum_kernel(const float* __restrict__ in, float* partial, unsigned* ticket, float* out,
                           int n) {
  __shared__ bool last;
  float v = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += __ldg(in + i);
  v = block_sum(v);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = v;
    __threadfence();
    last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  __threadfence();
  v = block_sum(threadIdx.x < gridDim.x ? partial[threadIdx.x] : 0.0f);
  if (threadIdx.x == 0) *out = v;
}

__global__ void fill_kernel(float* out, float value) { out[threadIdx.x] = value; }

__global__ void empty_kernel() {}
// `never` is null. It keeps the compiler from removing the array.
__global__ void static_shared_kernel(float* never) {
  __shared__ float all[10 * 1024];
  if (never) {
    all[threadIdx.x] = *never;
    __syncthreads();
    *never = all[threadIdx.x + 1];
  }
}
__global__ void __launch_bounds__(64) bounded_kernel() {}

}  // namespace

cudaError_t copy(const float* in, float* out, int n, cudaStream_t stream) {
  return launch(copy_kernel, unsigned(n) / 128 + 1, 128, 0, stream, in, out, n);
}
cudaError_t sum(const float* in, float* partial, unsigned* ticket, float* out, int n, cudaStream_t stream) {
  return launch(sum_kernel, kSumBlocks, kSumThreads, 0, stream, in, partial, ticket, out, n);
}
void fill_by_chevrons(float* out, float value, cudaStream_t stream) {
  fill_kernel<<<1, 32, 0, stream>>>(out, value);
}
cudaError_t launch_of_shape(dim3 grid, dim3 block, std::size_t dynamic_bytes, bool static_shared) {
  if (static_shared) return launch(static_shared_kernel, grid, block, dynamic_bytes, nullptr, nullptr);
  return launch(empty_kernel, grid, block, dynamic_bytes, nullptr);
}
cudaError_t allow_dynamic_shared(int bytes) {
  return cudaFuncSetAttribute(empty_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}
cudaError_t launch_bounded(dim3 block) { return launch(bounded_kernel, 1, block, 0, nullptr); }
