// Whether a stream is being captured into a graph, and what must not happen then.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend.h"

namespace gpuvae::kernels {

bool is_capturing(cudaStream_t stream);

// For calls that wait for the device, or that read the host's memory when the graph runs.
void refuse_in_capture(const char* call, StreamHandle stream);

}  // namespace gpuvae::kernels
