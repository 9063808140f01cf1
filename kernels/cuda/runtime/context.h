// A GPU's primary context, and the guard that makes this context current.
#pragma once

#include <new>

struct CUctx_st;  // a type of the driver: CUcontext is a pointer to it

namespace gpuvae::kernels {

// A GPU with its primary context, which stays alive until the process ends.
struct CudaDevice {
  explicit CudaDevice(int index);  // throws Error if the context cannot be created

  int index;
  CUctx_st* context;
};

// Makes the context of `device` current on the calling thread, and restores the caller's context when it is
// destroyed. CUDA calls act on the current context. cudaSetDevice() cannot be used for this: since CUDA 12 it
// creates a context on the device that it selects, so switching back could occupy an unused GPU.
class DeviceGuard {
 public:
  explicit DeviceGuard(const CudaDevice& device);
  // For destructors. is_active() is false if the driver refuses, for example because the process is ending.
  DeviceGuard(const CudaDevice& device, std::nothrow_t) noexcept;
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

  bool is_active() const { return active_; }

 private:
  bool active_ = false, pushed_ = false;
};

}  // namespace gpuvae::kernels
