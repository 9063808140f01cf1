#include "kernels/cuda/runtime/workspaces.h"

#include "kernels/cuda/runtime/capture.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae::kernels {
namespace {

DeviceMemory allocate(std::size_t bytes, const char* what) {
  void* pointer = nullptr;
  check_cuda(cudaMalloc(&pointer, bytes), "workspace", what);
  return DeviceMemory(pointer);
}

// Zeroes memory on a separate stream, because the caller's stream may be under capture.
void zero(void* pointer, std::size_t bytes) {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "workspace", "cudaStreamCreate");
  cudaError_t error = cudaMemsetAsync(pointer, 0, bytes, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  cudaStreamDestroy(stream);
  check_cuda(error, "workspace", "cudaMemsetAsync of a reduction's counters");
}

}  // namespace

Scratch Workspaces::scratch(StreamHandle stream) {
  constexpr std::size_t kPartialBytes = kPartials * sizeof(float),
                        kCounterBytes = kCounters * sizeof(unsigned);
  const std::lock_guard lock(mutex_);
  DeviceMemory& memory = streams_[stream].scratch;
  if (!memory) {
    const RelaxedCapture relaxed;
    DeviceMemory fresh = allocate(kPartialBytes + kCounterBytes, "cudaMalloc for a reduction's partial sums");
    zero(static_cast<char*>(fresh.get()) + kPartialBytes, kCounterBytes);
    memory = std::move(fresh);
  }
  char* bytes = static_cast<char*>(memory.get());
  return {reinterpret_cast<float*>(bytes), reinterpret_cast<unsigned*>(bytes + kPartialBytes)};
}

void* Workspaces::matmul(StreamHandle stream) {
  const std::lock_guard lock(mutex_);
  DeviceMemory& memory = streams_[stream].matmul;
  if (!memory) {
    const RelaxedCapture relaxed;
    memory = allocate(kMatmulBytes, "cudaMalloc for cuBLASLt's workspace");
  }
  return memory.get();
}

void Workspaces::forget(StreamHandle stream) noexcept {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

}  // namespace gpuvae::kernels
