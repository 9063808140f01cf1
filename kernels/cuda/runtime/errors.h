// Reports CUDA's return codes as gpuvae::Error and checks arguments.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "gpuvae/enums.h"

namespace gpuvae::kernels {

// `call` describes the failed call, for example "cudaMalloc of 4096 bytes".
[[noreturn]] void fail_cuda(cudaError_t error, const char* operation, const char* call);

inline void check_cuda(cudaError_t error, const char* operation, const char* call) {
  if (error != cudaSuccess) [[unlikely]]
    fail_cuda(error, operation, call);
}

[[noreturn]] void fail_dtype(const char* operation, DType dtype);
[[noreturn]] void fail_size(const char* operation, const char* expected, std::int64_t got);
[[noreturn]] void fail_argument(const char* operation, const char* expected, const char* got);

inline void require_f32(const char* operation, DType dtype) {
  if (dtype != DType::f32) [[unlikely]]
    fail_dtype(operation, dtype);
}

}  // namespace gpuvae::kernels
