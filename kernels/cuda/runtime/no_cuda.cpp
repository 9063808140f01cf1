// The CUDA backend of builds without CUDA.
#include <string>

#include "kernels/backend.h"
#include "kernels/callers_capture.h"

namespace gpuvae::kernels {

Backend* cuda_backend(int) { return nullptr; }
int cuda_device_count() { return 0; }
std::string cuda_status() { return "built without CUDA"; }
std::uint64_t capture_number(int, StreamHandle) noexcept { return 0; }
void attach_to_capture(int, StreamHandle, void*, void (*)(void*)) {}

}  // namespace gpuvae::kernels
