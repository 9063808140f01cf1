// What the files of the emulated device share.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

#include "control.h"
#include "counters.h"

#if defined(__SANITIZE_ADDRESS__)  // g++
#define EMULATOR_ASAN 1
#elif defined(__has_feature)  // clang++
#define EMULATOR_ASAN __has_feature(address_sanitizer)
#else
#define EMULATOR_ASAN 0
#endif

namespace emulator {

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

namespace detail {

Settings& current();
bool lazy();  // streams leave their work undone until somebody waits
std::size_t random_below(std::size_t n);

// ---- the device ----

constexpr int kMaxThreadsPerBlock = 1024, kMaxThreadsPerMultiprocessor = 2048, kMaxGridYZ = 65535;
constexpr std::size_t kSharedPerBlock = 48 * 1024, kSharedPerBlockOptIn = 227 * 1024;

int multiprocessors();
int compute_capability();  // 10 * major + minor
int blocks_per_multiprocessor(int threads_per_block);

// ---- contexts ----

int device_count();
int current_device();    // of this thread
void require_context();  // makes the primary context of the current device current if there is none

// ---- kernels ----

struct Function {
  const ptx::Module* module = nullptr;
  const ptx::Kernel* kernel = nullptr;
  int target = 0;  // of its PTX: 10 * major + minor
};
// The kernel behind a host function, from the newest PTX that the device can run; null if there is none.
const Function* find_function(const void* host_function);
std::size_t static_shared_bytes(const ptx::Kernel& kernel);
cudaError_t set_dynamic_shared_limit(const void* host_function, int bytes);
std::size_t dynamic_shared_limit(const void* host_function);  // in bytes
void count(const ptx::Counters& launch);                      // for PTX_REPORT
// Runs the launches that were held back because a dependent launch might overlap with them.
void flush_launches();

// ---- memory ----

ptx::Memory& device_memory();
bool in_device_memory(const void* p, std::size_t bytes = 1);  // wholly inside one allocation
std::size_t bytes_from(const void* p);                        // left in p's allocation; 0 outside of any
void open_device_memory(bool open);  // device memory is poisoned (AddressSanitizer) while host code runs

// Device memory is open to the emulator during the life of this object.
struct DeviceAccess {
  DeviceAccess() { open_device_memory(true); }
  ~DeviceAccess() { open_device_memory(false); }
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// ---- streams ----

using Work = std::function<void()>;
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, Work work);  // now, later, or into a graph
cudaError_t synchronise(cudaStream_t stream);                                 // counts as the host waiting
void finish_all_streams();                                                    // does not count
bool is_capturing(cudaStream_t stream);
cudaError_t forbidden_while_capturing();  // for calls that may synchronise as a side effect

Counters& counters();

// ---- every entry point of the stand-ins ----

std::recursive_mutex& device_mutex();
cudaError_t missing_device();         // as PTX_NO_DEVICE asks
cudaError_t remember(cudaError_t e);  // for cudaGetLastError

// For calls that need no context.
template <class Body>
cudaError_t query_point(Body body) {
  const std::scoped_lock lock(device_mutex());
  const cudaError_t missing = missing_device();
  return remember(missing != cudaSuccess ? missing : body());
}

template <class Body>
cudaError_t entry_point(Body body) {
  return query_point([&] {
    require_context();
    return body();
  });
}

}  // namespace detail
}  // namespace emulator
