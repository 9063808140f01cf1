// The list of CUDA devices, and the backend of each.
#include <cuda_runtime_api.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/runtime/architecture.h"
#include "kernels/cuda/runtime/errors.h"
#include "kernels/log.h"

namespace gpuvae::kernels {
namespace {

// The backend of a device, or the reason why there is none. Both are empty until the device is first
// requested.
struct Entry {
  std::unique_ptr<CudaBackend> backend;
  std::string problem;
};

struct Devices {
  Devices() {
    error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) {
      cudaGetLastError();
      count = 0;
    }
    entries.resize(static_cast<std::size_t>(count));
  }
  std::mutex mutex;
  cudaError_t error = cudaSuccess;
  int count = 0;
  std::vector<Entry> entries;
};

// The list is never destroyed, because tensors with static storage release their memory after main().
Devices& devices() {
  static Devices& all = *new Devices;
  return all;
}

std::string reason(const Devices& all) {
  switch (all.error) {
    case cudaErrorInsufficientDriver: {
      int driver = 0;  // stays 0 if there is no driver
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

Entry make_entry(int index) {
  const CudaDevice device(index);
  int architecture = 0;
  {
    const DeviceGuard on(device);
    architecture = kernel_architecture();
  }
  if (architecture > 0) return {std::make_unique<CudaBackend>(device, architecture), ""};
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), "device", "cudaGetDeviceProperties");
  return {nullptr,
          fmt::format("GPU {} ({}, compute capability {}.{}) cannot run this build, whose kernels are "
                      "for compute capability {}: build with -DCMAKE_CUDA_ARCHITECTURES={}{}",
                      index, properties.name, properties.major, properties.minor, built_architectures(),
                      properties.major, properties.minor)};
}

}  // namespace

int cuda_device_count() { return devices().count; }

Backend* cuda_backend(int device) {
  Devices& all = devices();
  if (device < 0 || device >= all.count) return nullptr;
  const Entry* fresh = nullptr;
  Backend* backend = nullptr;
  {
    const std::lock_guard lock(all.mutex);
    Entry& entry = all.entries[static_cast<std::size_t>(device)];
    if (!entry.backend && entry.problem.empty()) {
      entry = make_entry(device);
      fresh = &entry;
    }
    backend = entry.backend.get();
  }
  // An entry does not change any more once it is made.
  if (fresh && backend) log_message(LogLevel::info, "device", "GPU {} is in use", device);
  if (fresh && !backend) log_message(LogLevel::warning, "device", "{}", fresh->problem);
  return backend;
}

std::string cuda_status() {
  Devices& all = devices();
  std::string status = fmt::format("built with CUDA {}.{}; {}", CUDART_VERSION / 1000,
                                   CUDART_VERSION % 1000 / 10, reason(all));
  const std::lock_guard lock(all.mutex);
  for (const Entry& entry : all.entries)
    if (!entry.problem.empty()) status += "; " + entry.problem;
  return status;
}

}  // namespace gpuvae::kernels
