// Kernels of the unit tests, compiled by nvcc to PTX: each correct one beside its planted bug.
#include <cstdint>

extern "C" {

__global__ void vector_add(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}
__global__ void vector_add_past_end(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) c[i] = a[i] + b[i];
}
__global__ void vector_add4(const float* a, float* c) {
  const float4 x = *reinterpret_cast<const float4*>(a + 4 * threadIdx.x);
  *reinterpret_cast<float4*>(c + 4 * threadIdx.x) = make_float4(x.x + 1, x.y + 1, x.z + 1, x.w + 1);
}

__device__ float warp_sum(float v) {
  for (int i = 16; i > 0; i /= 2) v += __shfl_xor_sync(~0u, v, i);
  return v;
}
__global__ void block_reduce(const float* x, float* out) {
  __shared__ float partial[32];
  float v = warp_sum(x[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = warp_sum(threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0);
    if (threadIdx.x == 0) out[blockIdx.x] = v;
  }
}
__global__ void block_reduce_without_barrier(const float* x, float* out) {
  __shared__ float partial[32];
  float v = warp_sum(x[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  if (threadIdx.x < 32) {
    v = warp_sum(threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0);
    if (threadIdx.x == 0) out[blockIdx.x] = v;
  }
}
__global__ void warp_exchange(float* x, int with_sync) {
  __shared__ float s[32];
  s[threadIdx.x] = x[threadIdx.x];
  if (with_sync) __syncwarp();
  x[threadIdx.x] = s[threadIdx.x ^ 1];
}

}  // extern "C"
template <int kStride>
__device__ void transpose(const float* x, float* y) {
  __shared__ float tile[32 * kStride];
  for (int j = threadIdx.y; j < 32; j += blockDim.y)
    tile[j * kStride + threadIdx.x] = x[j * 32 + threadIdx.x];
  __syncthreads();
  for (int j = threadIdx.y; j < 32; j += blockDim.y)
    y[j * 32 + threadIdx.x] = tile[threadIdx.x * kStride + j];
}
extern "C" {
__global__ void transpose_padded(const float* x, float* y) { transpose<33>(x, y); }
__global__ void transpose_plain(const float* x, float* y) { transpose<32>(x, y); }
__global__ void shared_past_end(float* x) {
  __shared__ float s[64];
  s[threadIdx.x + 1] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[threadIdx.x];
}
__global__ void strided_read(const float* x, float* y, int stride) {
  y[threadIdx.x] = x[threadIdx.x * stride];
}

__global__ void collatz(const unsigned* x, unsigned* steps) {
  unsigned n = x[threadIdx.x], count = 0;
  while (n != 1) {
    n = n % 2 ? 3 * n + 1 : n / 2;
    ++count;
    if (count == 1000) break;
  }
  steps[threadIdx.x] = count + __shfl_xor_sync(~0u, count, 0);
}
__global__ void shuffle_inactive(float* x) {
  if (threadIdx.x < 16) x[threadIdx.x] = __shfl_sync(~0u, x[threadIdx.x], threadIdx.x + 16);
}
__global__ void shuffle_exited(float* x) {
  if (threadIdx.x >= 16) return;
  x[threadIdx.x] = __shfl_xor_sync(~0u, x[threadIdx.x], 1);
}
__global__ void barrier_divergent(float* x) {
  if (threadIdx.x < 16)
    __syncthreads();
  else
    x[threadIdx.x] = __shfl_xor_sync(0xffff0000u, x[threadIdx.x], 1), __syncthreads();
}

__global__ void count_up(unsigned* counter, unsigned* last, unsigned* sum) {
  const unsigned old = atomicInc(counter, 6);
  atomicMax(last, old);
  atomicAdd(sum, threadIdx.x);
}
__device__ bool last_block(unsigned* counter, bool fence) {
  __shared__ bool last;
  if (fence) __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
  __syncthreads();
  if (last) __threadfence();
  return last;
}
__global__ void grid_sum(const float* x, float* partials, unsigned* counter, float* out, bool fence) {
  if (threadIdx.x == 0) partials[blockIdx.x] = x[blockIdx.x];
  if (!last_block(counter, fence) || threadIdx.x) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += __ldcg(partials + i);
  *out = sum;
}
__global__ void blocks_collide(int* x) { x[0] = int(blockIdx.x); }

__global__ void store_to_shared(float* x, int wrong) {
  __shared__ float4 s[32];
  const float4 v = make_float4(x[threadIdx.x], 1, 2, 3);
  if (wrong)
    __stwb(s + threadIdx.x, v);
  else
    s[threadIdx.x] = v;
  __syncthreads();
  x[threadIdx.x] = s[threadIdx.x ^ 1].x + 1;
}

__global__ void mma_tf32(const float* a, const float* b,
                         float* c) {  // a [16, 8], b [8, 8] by columns, c [16, 8]
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto tf = [](float x) {
    std::uint32_t r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
  };
  const std::uint32_t as[4] = {tf(a[g * 8 + t]), tf(a[(g + 8) * 8 + t]), tf(a[g * 8 + t + 4]),
                               tf(a[(g + 8) * 8 + t + 4])};
  const std::uint32_t bs[2] = {tf(b[g * 8 + t]), tf(b[g * 8 + t + 4])};
  float d[4] = {c[g * 8 + 2 * t], c[g * 8 + 2 * t + 1], c[(g + 8) * 8 + 2 * t], c[(g + 8) * 8 + 2 * t + 1]};
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(as[0]), "r"(as[1]), "r"(as[2]), "r"(as[3]), "r"(bs[0]), "r"(bs[1]));
  c[g * 8 + 2 * t] = d[0], c[g * 8 + 2 * t + 1] = d[1], c[(g + 8) * 8 + 2 * t] = d[2],
                c[(g + 8) * 8 + 2 * t + 1] = d[3];
}

__global__ void functions(const float* x, float* y, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  y[i] = expf(x[i]), y[n + i] = logf(fabsf(x[i])), y[2 * n + i] = tanhf(x[i]), y[3 * n + i] = x[i] / 3.7f;
  y[4 * n + i] = sqrtf(fabsf(x[i])), y[5 * n + i] = sinf(x[i]), y[6 * n + i] = erff(x[i]),
            y[7 * n + i] = float(exp(double(x[i])));
  y[8 * n + i] = float(log1p(double(fabsf(x[i])))), y[9 * n + i] = __fadd_rz(x[i], 1e-7f),
            y[10 * n + i] = __fmaf_rd(x[i], x[i], 1e-9f);
}
__global__ void integers(const int* x, std::int64_t* y, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  const int a = x[i], b = x[(i + 1) % n];
  y[i] = b ? a / b : 0, y[n + i] = b ? a % b : 0, y[2 * n + i] = std::int64_t(a) * b,
  y[3 * n + i] = __mulhi(a, b);
  y[4 * n + i] = __popc(a) + 100 * __clz(b), y[5 * n + i] = a >> (b & 31),
            y[6 * n + i] = int(__brev(unsigned(a)));
  y[7 * n + i] =
      std::int64_t(std::uint64_t(std::int64_t(a) * 1234567) / (std::uint64_t(std::uint32_t(b)) + 1)),
            y[8 * n + i] = __byte_perm(a, b, 0x3715);
  y[9 * n + i] = int(__funnelshift_l(unsigned(a), unsigned(b), 7)),
            y[10 * n + i] = (unsigned char)(a) + (signed char)(b) + (short)(a);
}

__global__ void produce(float* x) {
  asm volatile("griddepcontrol.wait; griddepcontrol.launch_dependents;" ::: "memory");
  x[blockIdx.x * blockDim.x + threadIdx.x] = 2.0f;
}
__global__ void consume(const float* x, float* y, int wait) {
  if (wait) asm volatile("griddepcontrol.wait;" ::: "memory");
  y[blockIdx.x * blockDim.x + threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x] + 1;
}
__global__ void local_array(int* x, int n) {
  int stack[16];
  for (int i = 0; i < n; ++i) stack[(i * 7 + threadIdx.x) % 16] = i;
  x[threadIdx.x] = stack[threadIdx.x % 16];
}
}
