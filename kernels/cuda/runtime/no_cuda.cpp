// The CUDA backend of builds without CUDA.
#include <string>

#include "kernels/backend.h"

namespace gpuvae::kernels {

Backend* cuda_backend(int) { return nullptr; }
int cuda_device_count() { return 0; }
std::string cuda_status() { return "built without CUDA"; }

}  // namespace gpuvae::kernels
