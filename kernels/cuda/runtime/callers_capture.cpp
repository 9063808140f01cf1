#include "kernels/callers_capture.h"

#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

#include "kernels/check.h"
#include "kernels/cuda/runtime/capture.h"
#include "kernels/cuda/runtime/context.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae::kernels {
namespace {

// Returns a GPU's primary context. Streams belong to a context, and a CUDA call without a current context
// would create one on GPU 0.
const CudaDevice& device_of(int index) {
  static std::mutex guard;
  static auto& devices = *new std::map<int, CudaDevice>;
  const std::lock_guard lock(guard);
  return devices.try_emplace(index, index).first->second;
}

struct CaptureInfo {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  unsigned long long number = 0;
  cudaGraph_t graph = nullptr;
};

cudaError_t query(cudaStream_t stream, CaptureInfo& info) {
#if CUDART_VERSION >= 13000
  return cudaStreamGetCaptureInfo(stream, &info.status, &info.number, &info.graph);
#else
  return cudaStreamGetCaptureInfo_v2(stream, &info.status, &info.number, &info.graph);
#endif
}

}  // namespace

std::uint64_t capture_number(int device, StreamHandle stream) noexcept {
  try {
    const DeviceGuard on(device_of(device), std::nothrow);
    CaptureInfo info;
    if (!on.is_active() || query(cuda(stream), info) != cudaSuccess) return 0;
    return info.status == cudaStreamCaptureStatusNone ? 0 : info.number;
  } catch (...) {
    return 0;
  }
}

void attach_to_capture(int device, StreamHandle stream, void* object, void (*release)(void*)) {
  const DeviceGuard on(device_of(device));
  CaptureInfo info;
  check_cuda(query(cuda(stream), info), "graph", "cudaStreamGetCaptureInfo");
  check(info.status == cudaStreamCaptureStatusActive, Origin("graph", ErrorKind::cuda),
        "expected a capture that is valid, got one that an earlier call invalidated");
  cudaUserObject_t handle = nullptr;
  check_cuda(cudaUserObjectCreate(&handle, object, release, 1, cudaUserObjectNoDestructorSync), "graph",
             "cudaUserObjectCreate");
  check_cuda(cudaGraphRetainUserObject(info.graph, handle, 1, cudaGraphUserObjectMove), "graph",
             "cudaGraphRetainUserObject");
}

}  // namespace gpuvae::kernels
