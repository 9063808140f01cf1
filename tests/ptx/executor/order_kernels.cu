// Kernels for the tests of races, deadlocks and hangs. Arguments of most kernels enable a planted bug;
// "@name" marks the line at which the bug is reported.
extern "C" {

__global__ void reverse(const float* in, float* out, bool barrier) {
  __shared__ float tile[64];
  tile[threadIdx.x] = in[threadIdx.x];  // @reverse
  if (barrier) __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];  // @reverse
}

__global__ void exchange_in_warp(float* x, unsigned mask) {
  __shared__ float tile[32];
  tile[threadIdx.x] = x[threadIdx.x];  // @exchange_in_warp
  if (mask >> threadIdx.x & 1) __syncwarp(mask);
  x[threadIdx.x] = tile[threadIdx.x ^ 1];  // @exchange_in_warp
}

__global__ void exchange_in_halves(float* x) {
  __shared__ float tile[32];
  tile[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x < 16)
    __syncwarp(0x0000ffffu);
  else
    __syncwarp(0xffff0000u);
  x[threadIdx.x] = tile[threadIdx.x ^ 1];
}

__global__ void sum_of_warp(const float* in, float* out, int leaving) {
  const int i = threadIdx.x;
  if (i >= 32 - leaving) return;
  float v = in[i];
  for (int k = 16; k > 0; k /= 2) v += __shfl_xor_sync(~0u, v, k);  // @sum_of_warp
  if (i == 0) *out = v;
}

__global__ void shuffle_from_outside(float* x, bool planted) {
  if (threadIdx.x < 16)
    x[threadIdx.x] = __shfl_sync(0xffffu, x[threadIdx.x], planted ? 20 : 3);  // @shuffle_from_outside
}

__global__ void barrier_of_half(float* x, bool planted) {
  if (planted && threadIdx.x >= 32) return;
  __syncthreads();  // @barrier_of_half
  x[threadIdx.x] = 1;
}

__global__ void barrier_in_branch(float* x, unsigned bound) {
  if (threadIdx.x < bound) {
    x[threadIdx.x] = 1;
    __syncthreads();  // @barrier_in_branch
  } else {
    x[threadIdx.x] = 2;
    __syncthreads();  // @barrier_in_branch
  }
}

// The block that draws the last ticket adds the values of all blocks. `fences` is a sum of flags: 1 executes
// __threadfence before the ticket, 2 executes __threadfence after it, 4 executes __threadfence_block before
// it.
__global__ void sum_of_blocks(const float* in, float* partial, unsigned* ticket, float* out, int fences) {
  __shared__ bool last;
  if (threadIdx.x == 0) partial[blockIdx.x] = in[blockIdx.x];
  if (fences & 4) __threadfence_block();
  if (fences & 1) __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  __syncthreads();
  if (!last) return;
  if (fences & 2) __threadfence();
  if (threadIdx.x != 0) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += __ldcg(partial + i);  // @sum_of_blocks
  *out = sum;
}

__global__ void count_up(unsigned* count, bool atomic) {
  if (atomic)
    atomicAdd(count, 1u);
  else
    *count += 1;  // @count_up
}

__global__ void blocks_store(int* x, int factor) {
  *x = 5 + factor * static_cast<int>(blockIdx.x);
}  // @blocks_store

__global__ void wait_for_flag(unsigned* flag, unsigned setter) {
  if (threadIdx.x == setter) atomicExch(flag, 1u);
  if (threadIdx.x == 0)
    while (atomicAdd(flag, 0u) == 0u) __nanosleep(20);  // @wait_for_flag
}

// A link of a chain of dependent launches. The decimal digits of `steps` are executed from the last to the
// first: 1 waits for the predecessor, 2 triggers the dependents, 3 computes out = in + 1.
__global__ void link(const float* in, float* out, int steps) {
  for (; steps != 0; steps /= 10) {
    if (steps % 10 == 1) asm volatile("griddepcontrol.wait;" ::: "memory");
    if (steps % 10 == 2) asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    if (steps % 10 == 3) out[threadIdx.x] = in[threadIdx.x] + 1;  // @link
  }
}

// One thread of the block waits for the predecessor; the barrier passes the ordering on to the others.
__global__ void link_of_one(const float* in, float* out, bool barrier) {
  if (threadIdx.x == 0) asm volatile("griddepcontrol.wait;" ::: "memory");
  if (barrier) __syncthreads();
  out[threadIdx.x] = in[threadIdx.x] + 1;  // @link_of_one
}

// Each lane reads its neighbour's value and changes its own after a __syncwarp.
__global__ void add_neighbour(float* x, int rounds, unsigned mask) {
  __shared__ float tile[32];
  float own = x[threadIdx.x];
  tile[threadIdx.x] = own;
  for (int i = 0; i < rounds; ++i) {
    __syncwarp(mask << (threadIdx.x & 16));
    own = tile[threadIdx.x ^ 1];
    __syncwarp(mask << (threadIdx.x & 16));
    tile[threadIdx.x] += own;
  }
  x[threadIdx.x] = tile[threadIdx.x];
}

// Rows have 5 bytes, so threads, warps and blocks share words.
__global__ void increment_bytes(unsigned char* x, int shift) {
  const int i = 5 * blockIdx.x + threadIdx.x;
  if (threadIdx.x < 5) x[i] = x[i + shift] + 1;  // @increment_bytes
}

// Three warps write one byte of a word each, and the last one reads.
__global__ void read_written_byte(unsigned char* x, int from) {
  if (threadIdx.x % 32 == 0) x[threadIdx.x / 32] = 7 + threadIdx.x / 32;
  if (threadIdx.x == 64) x[64] = x[from];  // @read_written_byte
}

// The thread that reads the sum is the last one that added to it.
__global__ void read_own_atomic(int* out, bool barrier) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, 1);
  if (barrier) __syncthreads();
  if (threadIdx.x == blockDim.x - 1) *out = sum;  // @read_own_atomic
}

// The last block adds to the sum like all others and then reads it.
__global__ void read_sum_of_atomics(int* sum, unsigned* ticket, int* out, bool fences) {
  atomicAdd(sum, 1);
  if (fences) __threadfence();
  if (atomicInc(ticket, gridDim.x - 1) != gridDim.x - 1) return;
  if (fences) __threadfence();
  *out = __ldcg(sum);  // @read_sum_of_atomics
}

// Block 1 waits for block 0 correctly, block 2 does not.
__global__ void read_behind_flag(int* x, unsigned* flag, int* out) {
  if (blockIdx.x == 0) {
    *x = 5;
    __threadfence();
    atomicExch(flag, 1u);
  } else if (blockIdx.x == 1) {
    if (atomicAdd(flag, 0u) == 0) return;
    __threadfence();
    out[1] = __ldcg(x);
  } else {
    out[2] = __ldcg(x);  // @read_behind_flag
  }
}

}  // extern "C"
