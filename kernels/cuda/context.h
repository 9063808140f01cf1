// A GPU by its primary context, and the guard that makes this context current.
#pragma once

#include <new>

struct CUctx_st;  // of the driver: CUcontext is a pointer to it

namespace gpuvae::kernels {

// A GPU with its primary context, which stays alive until the process ends.
struct CudaDevice {
  explicit CudaDevice(int index);  // throws Error if the context cannot be created

  int index;
  CUctx_st* context;
};

// CUDA calls act on the context that is current on the calling thread: that of `device` while the guard
// lives, the caller's again afterwards. cudaSetDevice cannot be used for this: since CUDA 12 it creates a
// context on the device that it selects, so switching back would occupy a GPU that nobody uses.
class DeviceGuard {
 public:
  explicit DeviceGuard(const CudaDevice& device);
  // For destructors: `is_active` is false if the driver refuses, for instance because the process is ending.
  DeviceGuard(const CudaDevice& device, std::nothrow_t) noexcept;
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

  bool is_active() const { return active_; }

 private:
  bool active_ = false, pushed_ = false;
};

}  // namespace gpuvae::kernels
