// Captures that the caller of the library began on a CUDA stream, with cudaStreamBeginCapture.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Returns a number that identifies the capture of a stream of GPU `device` in this process, or 0 if the
// stream is not captured.
std::uint64_t capture_number(int device, StreamHandle stream) noexcept;

// Attaches an object to the graph that a capture builds. release(object) is called when that graph and all
// executable graphs made from it are destroyed and their launches have ended: in any thread, where no CUDA
// call is allowed. Throws Error if this fails.
void attach_to_capture(int device, StreamHandle stream, void* object, void (*release)(void*));

}  // namespace gpuvae::kernels
