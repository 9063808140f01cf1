// What the runtime's own files share: the scheduler, the stand-ins for libcudart and cuBLASLt, the race
// checker.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

#include "control.h"
#include "counters.h"

#if defined(__SANITIZE_ADDRESS__)  // g++
#define SIMT_ASAN 1
#elif defined(__has_feature)  // clang++
#define SIMT_ASAN __has_feature(address_sanitizer)
#else
#define SIMT_ASAN 0
#endif

namespace simt {

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

namespace detail {

// ---- scheduler
// --------------------------------------------------------------------------------------------------

// Where a thread stands in the order its barriers impose: `grid` counts launches and grid syncs, `block` its
// block's barriers, `warp` its warp's __syncwarps.
struct Clock {
  std::uint32_t grid, block_rank;
  std::uint16_t block, warp, thread_rank;
};
bool kernel_running();  // on this OS thread
Clock clock_of_running_thread();
bool in_shared_memory(const void* p);  // static or dynamic, of the running block
bool is_private(const void* p);        // a thread's stack or the kernel's parameters

bool lazy();  // streams leave their work undone until somebody waits
std::size_t random_below(std::size_t n);

void on_fence();  // weak and empty, unless the race checker is linked

// ---- device, memory, streams
// ------------------------------------------------------------------------------------

constexpr int kMaxThreadsPerBlock = 1024, kMaxThreadsPerMultiprocessor = 2048, kMaxGridYZ = 65535;
constexpr std::size_t kSharedPerBlock = 48 * 1024, kSharedPerBlockOptIn = 227 * 1024;

std::size_t dynamic_shared_limit(const void* kernel);
int multiprocessors();
int blocks_per_multiprocessor(int threads_per_block);

bool in_device_memory(const void* p, std::size_t bytes = 1);  // wholly inside one allocation
std::size_t bytes_from(const void* p);                        // left in p's allocation; 0 outside of any
void let_kernels_in(bool open);  // device memory is poisoned (ASan) while host code runs
void check_guards();             // nobody wrote behind the end of an allocation

// Device memory is open to the runtime itself during its life.
struct DeviceAccess {
  DeviceAccess() { let_kernels_in(true); }
  ~DeviceAccess() { let_kernels_in(false); }
  DeviceAccess(const DeviceAccess&) = delete;
};

using Work = std::function<void()>;
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, Work work);  // now, later, or into a graph
cudaError_t synchronise(cudaStream_t stream);                                 // counts as the host waiting
void finish_all_streams();                                                    // does not count
bool is_capturing(cudaStream_t stream);
cudaError_t forbidden_while_capturing();  // for calls that may synchronise behind the caller's back

Counters& counters();

// ---- every entry point of the stand-ins
// -------------------------------------------------------------------------

std::recursive_mutex& device_mutex();
cudaError_t missing_device();         // as SIMT_NO_DEVICE asks
cudaError_t remember(cudaError_t e);  // for cudaGetLastError

template <class Body>
cudaError_t entry_point(Body body) {
  const std::scoped_lock lock(device_mutex());
  const cudaError_t missing = missing_device();
  return remember(missing != cudaSuccess ? missing : body());
}

}  // namespace detail
}  // namespace simt
