// For programs with CUDA code of their own: their streams as ours, and ours as theirs. Needs the CUDA
// toolkit.
#pragma once

#include <cuda_runtime_api.h>

#include "gpuvae/device.h"

namespace gpuvae {

// The caller keeps the stream alive while it is used here.
[[nodiscard]] inline Stream wrap_stream(cudaStream_t stream, int device = 0) {
  return Stream::wrap(Device::cuda(device), stream);
}
[[nodiscard]] inline cudaStream_t cuda_stream(const Stream& stream) {
  return static_cast<cudaStream_t>(stream.handle());
}

}  // namespace gpuvae
