// Detects whether a stream is being captured into a graph, and refuses calls that a capture does not allow.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae::kernels {

inline cudaStream_t cuda(StreamHandle stream) { return static_cast<cudaStream_t>(stream); }

bool is_capturing(cudaStream_t stream);

// Throws Error if the stream is being captured. Calls that wait for the device, or that would read host
// memory when the graph runs, use this check.
void refuse_in_capture(const char* call, StreamHandle stream);

// Allows this thread to allocate memory while a stream is captured, also if the caller of the library began
// the capture in a stricter mode. The allocation is not part of the graph.
class RelaxedCapture {
 public:
  RelaxedCapture() { check_cuda(cudaThreadExchangeStreamCaptureMode(&mode_), "allocate", "capture mode"); }
  ~RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace gpuvae::kernels
