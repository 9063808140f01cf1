#include "kernels/cuda/runtime/architecture.h"

#include <cuda_runtime.h>

namespace gpuvae::kernels {
namespace {

// Represents all kernels, because every file is compiled for the same list of architectures.
__global__ void probe_kernel() {}

constexpr int kBuilt[] = {__CUDA_ARCH_LIST__};  // nvcc's list, written as 100 * major + 10 * minor

}  // namespace

int kernel_architecture() {
  cudaFuncAttributes attributes{};
  if (cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe_kernel)) == cudaSuccess)
    return attributes.ptxVersion;
  cudaGetLastError();  // clears the error, so that the next call does not report it
  return 0;
}

std::string architecture_name(int architecture) {
  return std::to_string(architecture / 10) + "." + std::to_string(architecture % 10);
}

std::string built_architectures() {
  std::string names;
  for (const int architecture : kBuilt)
    names += (names.empty() ? "" : ", ") + architecture_name(architecture / 10);
  return names;
}

}  // namespace gpuvae::kernels
