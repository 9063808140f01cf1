#include "kernels/cuda/runtime/context.h"

#include <cuda.h>
#include <cuda_runtime_api.h>

#include "kernels/check.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae::kernels {
namespace {

// Functions of the CUDA driver. The CUDA runtime looks them up, so that this library links and loads without
// libcuda.
struct Driver {
  decltype(&cuDeviceGet) device_get = nullptr;
  decltype(&cuDevicePrimaryCtxRetain) retain = nullptr;
  decltype(&cuCtxGetCurrent) get_current = nullptr;
  decltype(&cuCtxPushCurrent) push = nullptr;
  decltype(&cuCtxPopCurrent) pop = nullptr;
  decltype(&cuGetErrorName) error_name = nullptr;
};

template <class Function>
void find(const char* name, Function& function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
  constexpr unsigned kVersion = 12000;
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion(name, &found, kVersion, cudaEnableDefault, &result);
#else
  const cudaError_t error = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &result);
#endif
  check_cuda(error, "device", name);
  check(found != nullptr && result == cudaDriverEntryPointSuccess, Origin("device", ErrorKind::cuda),
        "expected a driver that has {}, got one that lacks it", name);
  function = reinterpret_cast<Function>(found);
}

Driver load_driver() {
  Driver driver;
  find("cuDeviceGet", driver.device_get);
  find("cuDevicePrimaryCtxRetain", driver.retain);
  find("cuCtxGetCurrent", driver.get_current);
  find("cuCtxPushCurrent", driver.push);
  find("cuCtxPopCurrent", driver.pop);
  find("cuGetErrorName", driver.error_name);
  return driver;
}

const Driver& driver() {
  static const Driver functions = load_driver();
  return functions;
}

void check_driver(CUresult result, const char* call, int device) {
  if (result == CUDA_SUCCESS) return;
  const char* name = nullptr;
  driver().error_name(result, &name);
  fail(Origin("device", ErrorKind::cuda), "{} for GPU {}: {}", call, device, name ? name : "unknown error");
}

// Pushes the context unless it is current already.
CUresult make_current(CUcontext context, bool& pushed) {
  CUcontext current = nullptr;
  const CUresult result = driver().get_current(&current);
  if (result != CUDA_SUCCESS || current == context) return result;
  const CUresult push = driver().push(context);
  pushed = push == CUDA_SUCCESS;
  return push;
}

}  // namespace

CudaDevice::CudaDevice(int i) : index(i), context(nullptr) {
  CUdevice device = 0;
  check_driver(driver().device_get(&device, index), "cuDeviceGet", index);
  check_driver(driver().retain(&context, device), "cuDevicePrimaryCtxRetain", index);
}

DeviceGuard::DeviceGuard(const CudaDevice& device) {
  check_driver(make_current(device.context, pushed_), "cuCtxPushCurrent", device.index);
  active_ = true;
}

DeviceGuard::DeviceGuard(const CudaDevice& device, std::nothrow_t) noexcept {
  active_ = make_current(device.context, pushed_) == CUDA_SUCCESS;
}

DeviceGuard::~DeviceGuard() {
  CUcontext popped = nullptr;
  if (pushed_) driver().pop(&popped);
}

}  // namespace gpuvae::kernels
