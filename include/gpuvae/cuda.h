// Conversion between gpuvae's streams and cudaStream_t, for programs with their own CUDA code. This header
// needs the CUDA toolkit; no other public header does.
//
// A program may also call gpuvae while it captures its stream itself (cudaStreamBeginCapture, in any mode),
// with that stream as the current one: the work becomes a part of the program's graph. Call the same code
// once beforehand, as for CudaGraph::capture, and launch the graph on the captured stream only, whose
// workspaces it uses. Memory that the captured work uses is reserved until the graph and all executable
// graphs made from it are destroyed. Calls that wait for the device throw Error and leave the capture valid.
#pragma once

#include <cuda_runtime_api.h>

#include "gpuvae/device.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Wraps the caller's stream as a gpuvae::Stream. The caller must keep the stream alive while gpuvae uses it.
[[nodiscard]] inline Stream wrap_stream(cudaStream_t stream, int device = 0) {
  return Stream::wrap(Device::cuda(device), stream);
}
// Returns the cudaStream_t of a gpuvae::Stream on a CUDA device.
[[nodiscard]] inline cudaStream_t cuda_stream(const Stream& stream) {
  return static_cast<cudaStream_t>(stream.handle());
}

}  // namespace gpuvae
#pragma GCC visibility pop
