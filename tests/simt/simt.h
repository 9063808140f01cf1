// Runs CUDA kernels on the CPU, compiled by an ordinary C++ compiler: force-included (-include simt.h) in
// every .cu file of the emulated tests. Types and prototypes are those of the toolkit's own headers; the
// runtime takes the place of libcudart; what the toolkit leaves to nvcc is defined here and in the headers
// included at the end.
#pragma once

#define SIMT_EMULATED 1

#include <math.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#define cudaLaunchKernelEx cudaLaunchKernelEx_of_the_toolkit  // a typed one replaces it below
#include <cuda_runtime.h>
#undef cudaLaunchKernelEx

#include "control.h"

// A block runs on one OS thread, so what is local to that thread is shared by the block's threads.
#undef __shared__
#define __shared__ thread_local
#undef __launch_bounds__
#define __launch_bounds__(...)

// ---- built-in variables: plain globals, set by the scheduler whenever it resumes a thread ----
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace simt {

struct Where {  // of a call, by default argument
  const char* file;
  unsigned line;
  bool operator==(const Where& o) const { return line == o.line && !std::strcmp(file, o.file); }
};
#define SIMT_HERE simt::Where where = {__builtin_FILE(), __builtin_LINE()}

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

struct Launch {
  const void* kernel;
  std::shared_ptr<const void> call;  // the kernel's address and its arguments,
  std::size_t bytes;                 // this much: the parameter memory
  void (*invoke)(const void* call);  // what every thread runs
};
cudaError_t launch(const cudaLaunchConfig_t& config, Launch what);
void* dynamic_shared();  // the block's dynamic shared memory

// ---- rendezvous: the three scopes at which threads meet ----
struct Tally {
  int count;
  bool all, any;
};
Tally block_barrier(const char* name, bool vote, Where where);
void grid_barrier(Where where);
void yield();
enum class Memory { unordered, ordered };  // does the warp collective order memory accesses?
void warp_gather(const char* name, unsigned mask, Memory memory, const void* in, void* out, std::size_t bytes,
                 Where where);

// Every warp intrinsic is "all lanes of the mask hand in a value and see everybody's values".
template <class T>
struct Lanes {
  unsigned mask;
  int self;
  const char* name;
  std::array<T, 32> value;
  bool has(int lane) const { return mask >> lane & 1; }
  const T& operator[](int lane) const {
    if (!has(lane)) fail("%s reads lane %d, which is not in its mask %08x", name, lane, mask);
    return value[lane];
  }
};
int lane();
template <class T>
Lanes<T> gather(const char* name, unsigned mask, const T& value, Where where,
                Memory memory = Memory::unordered) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 32);
  Lanes<T> lanes{mask, lane(), name, {}};
  warp_gather(name, mask, memory, &value, lanes.value.data(), sizeof(T), where);
  return lanes;
}

}  // namespace simt

// ---- launch ----
template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
  using Arguments = std::tuple<std::remove_const_t<Params>...>;
  using Call = std::pair<void (*)(Params...), Arguments>;
  auto call = std::make_shared<const Call>(kernel, Arguments(std::forward<Args>(args)...));
  const auto invoke = [](const void* c) {
    std::apply(static_cast<const Call*>(c)->first, static_cast<const Call*>(c)->second);
  };
  return simt::launch(*config, {reinterpret_cast<const void*>(kernel), call, sizeof(Call), invoke});
}

// The toolkit gives these their typed forms only under nvcc.
template <class F>
cudaError_t cudaFuncSetAttribute(F* kernel, cudaFuncAttribute attribute, int value) {
  return ::cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class F>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, F* kernel) {
  return ::cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}
template <class F>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, F* kernel, int threads,
                                                          std::size_t bytes) {
  return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void*>(kernel),
                                                         threads, bytes);
}

// ---- barriers and fences ----
inline void __syncthreads(SIMT_HERE) { simt::block_barrier("__syncthreads", false, where); }
inline int __syncthreads_count(int predicate, SIMT_HERE) {
  return simt::block_barrier("__syncthreads_count", predicate, where).count;
}
inline int __syncthreads_and(int predicate, SIMT_HERE) {
  return simt::block_barrier("__syncthreads_and", predicate, where).all;
}
inline int __syncthreads_or(int predicate, SIMT_HERE) {
  return simt::block_barrier("__syncthreads_or", predicate, where).any;
}
inline void __syncwarp(unsigned mask = ~0u, SIMT_HERE) {
  simt::gather("__syncwarp", mask, 0, where, simt::Memory::ordered);
}
inline void __threadfence_block() {}
void __threadfence();
inline void __threadfence_system() { __threadfence(); }
inline void __nanosleep(unsigned) { simt::yield(); }  // the only legal body of a spin loop
[[noreturn]] inline void __trap() { simt::fail("__trap()"); }
// Kernels of a stream run one after another here, so a programmatic dependent launch has nothing to wait for.
inline void cudaGridDependencySynchronize() {}
inline void cudaTriggerProgrammaticLaunchCompletion() {}

#include "intrinsics_arithmetic.h"
#include "intrinsics_tensor.h"
#include "intrinsics_warp.h"
// After the warp intrinsics, which it is built from.
#include "cooperative_groups_twin.h"
