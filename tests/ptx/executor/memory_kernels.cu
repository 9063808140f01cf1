// Kernels for the tests of memory checks. Arguments of most kernels enable a planted bug; "@name" marks the
// line at which the bug is reported.
#include <cstdint>

extern "C" {

__global__ void add_one(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i] + 1;  // @add_one
}

__global__ void add_one_by_four(const float* in, float* out) {
  const int i = 4 * threadIdx.x;
  const float4 x = *reinterpret_cast<const float4*>(in + i);  // @add_one_by_four
  *reinterpret_cast<float4*>(out + i) = make_float4(x.x + 1, x.y + 1, x.z + 1, x.w + 1);
}

__global__ void strided_copy(const float* in, float* out, int stride) {
  out[threadIdx.x] = in[threadIdx.x * stride];
}

__global__ void global_store_to_shared(float* x, bool planted) {
  __shared__ float4 tile[32];
  const float4 v = make_float4(x[threadIdx.x], 1, 2, 3);
  if (planted)
    __stwb(tile + threadIdx.x, v);  // @global_store_to_shared
  else
    tile[threadIdx.x] = v;
  __syncthreads();
  x[threadIdx.x] = tile[threadIdx.x ^ 1].x;
}

__global__ void shared_store_to_global(float* x) {
  asm volatile("st.shared.b64 [%0], %0;" ::"l"(x + 2 * threadIdx.x));  // @shared_store_to_global
}

__global__ void unwritten_shared(float* x, int written) {
  __shared__ float tile[64];
  if (threadIdx.x < written) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = tile[63 - threadIdx.x];  // @unwritten_shared
}

__global__ void unwritten_local(int* x, int written, int read) {
  int values[16];
  for (int i = 0; i < written; ++i) values[(i * 7 + threadIdx.x) % 16] = i;
  x[threadIdx.x] = values[read];  // @unwritten_local
}

struct Padded {
  std::uint8_t byte;  // three bytes of padding follow
  float value;
};
__global__ void write_padded(Padded* x) {
  x[threadIdx.x].byte = 7;
  x[threadIdx.x].value = 2;
}
__global__ void read_padded(const Padded* x, float* y) {
  const int2 both = *reinterpret_cast<const int2*>(x + threadIdx.x);  // @read_padded
  y[threadIdx.x] = __int_as_float(both.y) + static_cast<float>(both.x & 255);
}

__global__ void static_overrun(float* x, int shift) {
  __shared__ float tile[64], other[64];
  tile[threadIdx.x + shift] = x[threadIdx.x];  // @static_overrun
  other[threadIdx.x] = 1;
  __syncthreads();
  x[threadIdx.x] = tile[63 - threadIdx.x] + other[threadIdx.x];
}

__global__ void dynamic_overrun(float* x, int shift) {
  extern __shared__ float dynamic_tile[];
  dynamic_tile[threadIdx.x + shift] = x[threadIdx.x];  // @dynamic_overrun
  __syncthreads();
  x[threadIdx.x] = dynamic_tile[63 - threadIdx.x];
}

__global__ void read_only_load(float* x, bool planted) {
  x[threadIdx.x] += 1;
  if (planted) x[threadIdx.x] = __ldg(x + threadIdx.x) + 1;  // @read_only_load
}

__device__ int table[4] = {1, 2, 3, 4};
__global__ void read_table(int* x, int from) { x[threadIdx.x] = table[from + threadIdx.x]; }  // @read_table

// Transposes a [32, 32] table through shared memory. A row pitch of 33 floats avoids bank conflicts; a pitch
// of 32 floats causes 32-way conflicts.
__global__ void transpose(const float* x, float* y, int row) {
  __shared__ float tile[32 * 33];
  for (int j = threadIdx.y; j < 32; j += blockDim.y) tile[j * row + threadIdx.x] = x[j * 32 + threadIdx.x];
  __syncthreads();
  for (int j = threadIdx.y; j < 32; j += blockDim.y) y[j * 32 + threadIdx.x] = tile[threadIdx.x * row + j];
}

__global__ void collatz(const unsigned* x, unsigned* steps) {
  unsigned n = x[threadIdx.x], count = 0;
  while (n != 1 && count < 1000) {
    n = n % 2 ? 3 * n + 1 : n / 2;
    ++count;
  }
  steps[threadIdx.x] = count;
}

}  // extern "C"
