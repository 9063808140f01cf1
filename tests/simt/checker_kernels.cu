#include "checker_kernels.h"

#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <utility>

namespace {

constexpr unsigned kWholeWarp = 0xffffffffu;

template <class T>
__device__ T* dynamic_shared() {
#ifdef SIMT_EMULATED
  return static_cast<T*>(simt::dynamic_shared());
#else
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
#endif
}

struct Shape {
  dim3 grid = 1, block = 32;
  std::size_t dynamic_bytes = 0;
  cudaStream_t stream = nullptr;
  bool cooperative = false;
};

template <class... Params, class... Args>
cudaError_t launch(void (*kernel)(Params...), const Shape& shape, Args&&... args) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.dynamic_bytes;
  config.stream = shape.stream;
  config.attrs = &attribute;
  config.numAttrs = shape.cooperative ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...);
}

__global__ void copy_kernel(const float* __restrict__ in, float* __restrict__ out, int n, Bug bug) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n || (bug == Bug::planted && i == n)) out[i] = i < n ? in[i] : 1.0f;
}

__global__ void __launch_bounds__(kReversed) reverse_kernel(const float* in, float* out, Bug bug) {
  __shared__ float tile[kReversed];
  const int i = threadIdx.x;
  tile[i] = in[i];
  if (bug == Bug::none) __syncthreads();
  out[i] = tile[kReversed - 1 - i];
}

__global__ void reverse_in_warp_kernel(const float* in, float* out, Bug bug) {
  __shared__ float tile[kReversedInWarp];
  const int i = threadIdx.x;
  tile[i] = in[i];
  if (bug == Bug::none) __syncwarp();
  out[i] = tile[kReversedInWarp - 1 - i];
}

__global__ void stage_static_kernel(const float* in, float* out, Bug bug) {
  __shared__ float tile[kReversed];
  const int i = threadIdx.x, shift = bug == Bug::planted ? 1 : 0;
  tile[i + shift] = in[i];
  __syncthreads();
  out[i] = tile[kReversed - 1 - i];
}

__global__ void stage_dynamic_kernel(const float* in, float* out, Bug bug) {
  float* tile = dynamic_shared<float>();
  const int i = threadIdx.x, shift = bug == Bug::planted ? 1 : 0;
  tile[i + shift] = in[i];
  __syncthreads();
  out[i] = tile[kReversed - 1 - i];
}

__device__ float warp_sum(float v) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) v += __shfl_xor_sync(kWholeWarp, v, i);
  return v;
}

__device__ float block_sum(float v) {
  __shared__ float partial[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  v = warp_sum(v);
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  v = warp_sum(lane < warps ? partial[lane] : 0.0f);
  __syncthreads();  // the next call writes partial again
  return v;
}

__global__ void sum_kernel(const float* __restrict__ in, float* partial, unsigned* ticket, float* out, int n,
                           Bug no_fence) {
  __shared__ bool last;
  float v = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += __ldg(in + i);
  v = block_sum(v);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = v;
    if (no_fence == Bug::none) __threadfence();
    last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  v = block_sum(threadIdx.x < gridDim.x ? partial[threadIdx.x] : 0.0f);
  if (threadIdx.x == 0) *out = v;
}

__global__ void count_below_kernel(const float* in, int* count, int n, float limit, Bug plain_add) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n || !(in[i] < limit)) return;
  if (plain_add == Bug::none)
    atomicAdd(count, 1);
  else
    *count += 1;
}

__global__ void half_at_barrier_kernel(float* out, Bug half_has_left) {
  if (half_has_left == Bug::planted && threadIdx.x >= blockDim.x / 2) return;
  __syncthreads();
  out[threadIdx.x] = 1.0f;
}

__global__ void sum_of_warp_kernel(const float* in, float* out, int n, Bug lanes_beyond_n_leave) {
  const int i = threadIdx.x;
  if (lanes_beyond_n_leave == Bug::planted && i >= n) return;
  const float total = warp_sum(i < n ? in[i] : 0.0f);
  if (i == 0) *out = total;
}

__global__ void scale_by_four_kernel(float* x, int quads) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= quads) return;
  float4 v = reinterpret_cast<float4*>(x)[i];
  v.x *= 4.0f, v.y *= 4.0f, v.z *= 4.0f, v.w *= 4.0f;
  reinterpret_cast<float4*>(x)[i] = v;
}

__global__ void total_in_grid_kernel(const float* in, float* partial, float* out, int n, Bug no_grid_sync) {
  const auto grid = cooperative_groups::this_grid();
  float v = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += in[i];
  v = block_sum(v);
  if (threadIdx.x == 0) partial[blockIdx.x] = v;
  if (no_grid_sync == Bug::none) grid.sync();
  v = block_sum(threadIdx.x < gridDim.x ? partial[threadIdx.x] : 0.0f);
  if (threadIdx.x == 0) out[blockIdx.x] = v;
}

__global__ void wait_for_flag_kernel(unsigned* flag, Bug nobody_sets_it) {
  if (threadIdx.x == 32 && nobody_sets_it == Bug::none) atomicExch(flag, 1u);
  if (threadIdx.x == 0)
    while (atomicAdd(flag, 0u) == 0u) __nanosleep(20);
}

struct Parameters {
  float unused[16], value;
};

__global__ void intrinsics_kernel(const float* in, unsigned* counter, Intrinsics* out,
                                  const __grid_constant__ Parameters parameters) {
  const int i = threadIdx.x;
  Intrinsics r{};
  r.shuffled_double = __shfl_down_sync(kWholeWarp, i * 0.5, 4);
  r.shuffled_word = __shfl_xor_sync(kWholeWarp, static_cast<unsigned long long>(i) << 40, 1);
  r.from_lane_three = __shfl_sync(kWholeWarp, static_cast<unsigned long long>(i), 3);
  r.high_product = __umul64hi(~0ull, ~0ull);
  r.ballot = __ballot_sync(kWholeWarp, i % 2);
  r.any = __any_sync(kWholeWarp, i == 7), r.all = __all_sync(kWholeWarp, i == 7);
  r.total = __reduce_add_sync(kWholeWarp, i);
  r.reversed_bits = __brev(1u);
  r.ticket = atomicInc(counter, 15u);
  r.rounded = __float2int_rn(2.5f);
  r.mixed_minimum = int(min(i + 5, 7u));
  r.root = __fsqrt_rn(16.0f), r.quotient = __fdiv_rn(1.0f, 4.0f), r.inverse_root = __frsqrt_rn(4.0f);
  r.read = __ldcs(in + i);
  r.parameter = parameters.value;
  const int positive = __syncthreads_or(i == 31) + __syncthreads_and(i >= 0) + __syncthreads_count(i < 8);
  if (i == 0 && positive == 10) *out = r;
}

__global__ void empty_kernel() {}

}  // namespace

cudaError_t copy(const float* in, float* out, int n, Bug bug, cudaStream_t stream) {
  return launch(copy_kernel, {.grid = unsigned(n) / 128 + 1, .block = 128, .stream = stream}, in, out, n,
                bug);
}
cudaError_t reverse(const float* in, float* out, Bug bug, cudaStream_t stream) {
  return launch(reverse_kernel, {.block = kReversed, .stream = stream}, in, out, bug);
}
cudaError_t reverse_in_warp(const float* in, float* out, Bug bug) {
  return launch(reverse_in_warp_kernel, {.block = kReversedInWarp}, in, out, bug);
}
cudaError_t stage_static(const float* in, float* out, Bug bug) {
  return launch(stage_static_kernel, {.block = kReversed}, in, out, bug);
}
cudaError_t stage_dynamic(const float* in, float* out, Bug bug) {
  return launch(stage_dynamic_kernel, {.block = kReversed, .dynamic_bytes = kReversed * sizeof(float)}, in,
                out, bug);
}
cudaError_t sum(const float* in, float* partial, unsigned* ticket, float* out, int n, Bug bug,
                cudaStream_t stream) {
  return launch(sum_kernel, {.grid = kSumBlocks, .block = kSumThreads, .stream = stream}, in, partial, ticket,
                out, n, bug);
}
cudaError_t count_below(const float* in, int* count, int n, float limit, Bug bug) {
  return launch(count_below_kernel, {.grid = unsigned(n) / 64 + 1, .block = 64}, in, count, n, limit, bug);
}
cudaError_t half_at_barrier(float* out, Bug bug) {
  return launch(half_at_barrier_kernel, {.block = 64}, out, bug);
}
cudaError_t sum_of_warp(const float* in, float* out, int n, Bug bug) {
  return launch(sum_of_warp_kernel, {}, in, out, n, bug);
}
cudaError_t scale_by_four(float* x, int quads, Bug bug) {
  return launch(scale_by_four_kernel, {}, bug == Bug::planted ? x + 1 : x, quads);
}
cudaError_t total_in_grid(const float* in, float* partial, float* out, int n, int blocks, Bug bug) {
  return launch(total_in_grid_kernel, {.grid = unsigned(blocks), .block = 64, .cooperative = true}, in,
                partial, out, n, bug);
}
cudaError_t wait_for_flag(unsigned* flag, Bug bug) {
  return launch(wait_for_flag_kernel, {.block = 64}, flag, bug);
}
cudaError_t intrinsics(const float* in, unsigned* counter, Intrinsics* out) {
  Parameters parameters{};
  parameters.value = 42.0f;
  return launch(intrinsics_kernel, {}, in, counter, out, parameters);
}
cudaError_t launch_of_shape(dim3 grid, dim3 block, std::size_t dynamic_bytes, bool cooperative) {
  return launch(empty_kernel,
                {.grid = grid, .block = block, .dynamic_bytes = dynamic_bytes, .cooperative = cooperative});
}
cudaError_t allow_dynamic_shared(int bytes) {
  return cudaFuncSetAttribute(empty_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}
