// Error messages for failed CUDA calls. They are separate from the kernels, so that nvcc need not compile the
// formatting.
#include "kernels/cuda/runtime/errors.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

std::atomic<std::uint64_t> launched = 0;

Origin origin_of(const char* operation, cudaError_t error) {
  return {operation, error == cudaErrorMemoryAllocation ? ErrorKind::out_of_memory : ErrorKind::cuda};
}

}  // namespace

void count_launch() { launched.fetch_add(1, std::memory_order_relaxed); }

bool dependent_launches() {
  static const char* const setting = std::getenv("GPUVAE_DEPENDENT_LAUNCHES");
  static const bool allowed = !setting || std::string_view(setting) != "0";
  return allowed;
}

std::uint64_t CudaBackend::launches() const { return launched.load(std::memory_order_relaxed); }

// A failed call also sets CUDA's "last error". cudaGetLastError() clears it, so that a later check does not
// report it again.
void fail_cuda(cudaError_t error, const char* operation, const char* call) {
  cudaGetLastError();
  fail(origin_of(operation, error), "{}: {} ({})", call, cudaGetErrorString(error), cudaGetErrorName(error));
}

void fail_dtype(const char* operation, DType dtype) {
  fail(unsupported(operation), "expected f32 on CUDA, got {}", name(dtype));
}

void fail_size(const char* operation, const char* expected, std::int64_t got) {
  fail(operation, "expected {}, got {}", expected, got);
}

void fail_launch(const Launch& site, cudaError_t error) {
  cudaGetLastError();
  fail(origin_of(site.operation, error), "launch of {}, grid ({}), block ({}, {}), size {}: {}", site.kernel,
       site.blocks, site.block.x, site.block.y, site.size, cudaGetErrorString(error));
}

}  // namespace gpuvae::kernels
