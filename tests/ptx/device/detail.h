// Declarations that the files of the emulated device share.
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
bool lazy();  // streams do nothing until the host waits
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
void require_context();  // makes the current device's primary context current if no context is current

// ---- kernels ----

struct Function {
  const ptx::Module* module = nullptr;
  const ptx::Kernel* kernel = nullptr;
  int target = 0;  // target of its PTX: 10 * major + minor
};
// Returns the kernel of a host function from the newest PTX that the device can run, or null.
const Function* find_function(const void* host_function);
std::size_t static_shared_bytes(const ptx::Kernel& kernel);
cudaError_t set_dynamic_shared_limit(const void* host_function, int bytes);
std::size_t dynamic_shared_limit(const void* host_function);  // in bytes
void count(const ptx::Counters& launch);                      // adds a launch to the counters of PTX_REPORT
// Runs the launches that are held back because a dependent launch may overlap with them.
void flush_launches();

// ---- memory ----

ptx::Memory& device_memory();
bool in_device_memory(const void* p, std::size_t bytes = 1);  // wholly inside one allocation
std::size_t bytes_from(const void* p);  // bytes from p to the end of its allocation; 0 outside any allocation
// Device memory is poisoned for AddressSanitizer while host code runs. This function removes the poison
// (true) or restores it (false).
void open_device_memory(bool open);

// Opens device memory to the emulator during the lifetime of this object.
struct DeviceAccess {
  DeviceAccess() { open_device_memory(true); }
  ~DeviceAccess() { open_device_memory(false); }
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// ---- streams ----

using Work = std::function<void()>;
// Runs the work now, queues it, or adds it to the graph that the stream captures.
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, Work work);
cudaError_t synchronise(cudaStream_t stream);  // counts as a host synchronisation
void finish_all_streams();                     // does not count as a synchronisation
bool is_capturing(cudaStream_t stream);
// Returns the error of a call that may synchronise implicitly, and invalidates the capture, if a stream
// captures in a mode that forbids such calls.
cudaError_t forbidden_while_capturing();

Counters& counters();

// ---- entry points of the emulated libraries ----

std::recursive_mutex& device_mutex();
cudaError_t missing_device();         // the error that PTX_NO_DEVICE selects
cudaError_t remember(cudaError_t e);  // stores the error for cudaGetLastError
// Counts a call that needs the device. Returns the error of a device that has failed
// (Settings::fault_at_call).
cudaError_t count_call();

// Runs the body of a call that needs no context: locks the device, returns the error of a missing device, and
// stores errors for cudaGetLastError.
template <class Body>
cudaError_t query_point(Body body) {
  const std::scoped_lock lock(device_mutex());
  const cudaError_t missing = missing_device();
  return remember(missing != cudaSuccess ? missing : body());
}

// Like query_point, for a call that needs a context.
template <class Body>
cudaError_t entry_point(Body body) {
  return query_point([&] {
    require_context();
    const cudaError_t fault = count_call();
    return fault != cudaSuccess ? fault : body();
  });
}

// Like entry_point, for a call that frees memory of the emulator, which it also does if the device has
// failed.
template <class Body>
cudaError_t release_point(Body body) {
  return query_point([&] {
    require_context();
    const cudaError_t fault = count_call(), result = body();
    return fault != cudaSuccess ? fault : result;
  });
}

}  // namespace detail
}  // namespace emulator
