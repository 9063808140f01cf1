// CUDA's return codes as gpuvae::Error, checks of arguments, and the guard that selects a device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "gpuvae/types.h"

namespace gpuvae::kernels {

// `call` is the failed call as people would write it: "cudaMalloc of 4096 bytes".
[[noreturn]] void fail_cuda(cudaError_t error, const char* operation, const char* call);

inline void check_cuda(cudaError_t error, const char* operation, const char* call) {
  if (error != cudaSuccess) [[unlikely]]
    fail_cuda(error, operation, call);
}

[[noreturn]] void fail_dtype(const char* operation, DType dtype);
[[noreturn]] void fail_size(const char* operation, const char* expected, std::int64_t got);

inline void require_f32(const char* operation, DType dtype) {
  if (dtype != DType::f32) [[unlikely]]
    fail_dtype(operation, dtype);
}

// Calls act on one device and leave the thread's choice as it was.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    check_cuda(cudaGetDevice(&previous_), "device", "cudaGetDevice");
    if (previous_ == device) return;
    check_cuda(cudaSetDevice(device), "device", "cudaSetDevice");
    restore_ = true;
  }
  ~DeviceGuard() {
    if (restore_) cudaSetDevice(previous_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_ = 0;
  bool restore_ = false;
};

}  // namespace gpuvae::kernels
