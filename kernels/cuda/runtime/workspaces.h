// Memory that the kernels of one stream share: partial sums of reductions, and cuBLASLt's workspace.
#pragma once

#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <mutex>

#include "kernels/cuda/backend.h"

namespace gpuvae::kernels {

struct CudaFree {
  void operator()(void* pointer) const noexcept { cudaFree(pointer); }
};
using DeviceMemory = std::unique_ptr<void, CudaFree>;

// Thread-safe. Memory is allocated when a stream first needs it, which may be during a capture.
class Workspaces {
 public:
  static constexpr std::size_t kMatmulBytes = 32 << 20;  // as NVIDIA recommends for Hopper

  Scratch scratch(StreamHandle stream);
  void* matmul(StreamHandle stream);
  // Frees the stream's memory. Call it after all work of the stream has ended.
  void forget(StreamHandle stream) noexcept;

 private:
  struct OfStream {
    DeviceMemory scratch, matmul;
  };
  std::mutex mutex_;
  std::map<StreamHandle, OfStream> streams_;
};

}  // namespace gpuvae::kernels
