// Which CUDA devices there are, and the backend of each.
#include <cuda_runtime_api.h>

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/errors.h"

namespace gpuvae::kernels {
namespace {

struct Devices {
  Devices() {
    error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) {
      cudaGetLastError();
      count = 0;
    }
    backends.resize(static_cast<std::size_t>(count));
    asked.resize(static_cast<std::size_t>(count));
  }
  std::mutex mutex;
  cudaError_t error = cudaSuccess;
  int count = 0;
  std::vector<std::unique_ptr<CudaBackend>> backends;
  std::vector<bool> asked;
};

// Never destroyed: tensors of static storage release their memory after main.
Devices& devices() {
  static Devices& all = *new Devices;
  return all;
}

std::string reason(const Devices& all) {
  switch (all.error) {
    case cudaErrorInsufficientDriver: {
      int driver = 0;  // stays 0 without a driver
      if (cudaDriverGetVersion(&driver) != cudaSuccess) cudaGetLastError();
      if (driver == 0) return "no driver on this machine";
      return fmt::format("the driver is too old: it supports CUDA {}.{}", driver / 1000, driver % 1000 / 10);
    }
    case cudaErrorNoDevice:
      return "no GPU on this machine";
    case cudaSuccess:
      return fmt::format("{} GPU{}", all.count, all.count == 1 ? "" : "s");
    default:
      return fmt::format("no usable GPU: {}", cudaGetErrorString(all.error));
  }
}

}  // namespace

int cuda_device_count() { return devices().count; }

Backend* cuda_backend(int device) {
  Devices& all = devices();
  if (device < 0 || device >= all.count) return nullptr;
  const std::lock_guard lock(all.mutex);
  const auto index = static_cast<std::size_t>(device);
  if (!all.asked[index]) {
    const DeviceGuard on(device);
    if (has_kernels_for_current_device()) all.backends[index] = std::make_unique<CudaBackend>(device);
    all.asked[index] = true;
  }
  return all.backends[index].get();
}

std::string cuda_status() {
  Devices& all = devices();
  std::string status = fmt::format("built with CUDA {}.{}; {}", CUDART_VERSION / 1000,
                                   CUDART_VERSION % 1000 / 10, reason(all));
  const std::lock_guard lock(all.mutex);
  for (std::size_t i = 0; i < all.backends.size(); ++i)
    if (all.asked[i] && !all.backends[i])
      status += fmt::format("; this build has no kernels for the architecture of GPU {}", i);
  return status;
}

}  // namespace gpuvae::kernels
