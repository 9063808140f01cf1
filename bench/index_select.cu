#include "bench/index_select.h"

#include <cuda_runtime.h>

#include "gpuvae/error.h"

namespace gpuvae::bench {
namespace {

constexpr unsigned kThreads = 256;

// A block copies one row at a time. Word is uchar4, or a byte if rows do not consist of whole words.
template <class Word>
__global__ void index_select_kernel(const Word* from, const std::int32_t* rows, std::int64_t count,
                                    std::int64_t width, Word* to) {
  for (std::int64_t row = blockIdx.x; row < count; row += gridDim.x) {
    const Word* source = from + rows[row] * width;
    for (std::int64_t i = threadIdx.x; i < width; i += blockDim.x) to[row * width + i] = source[i];
  }
}

}  // namespace

void index_select(const std::uint8_t* from, const std::int32_t* rows, std::int64_t count, std::int64_t width,
                  std::uint8_t* to, kernels::StreamHandle stream) {
  if (count == 0 || width == 0) return;
  const auto blocks = static_cast<unsigned>(count < 65535 ? count : 65535);
  auto* on = static_cast<cudaStream_t>(stream);
  if (width % 4 == 0)
    index_select_kernel<<<blocks, kThreads, 0, on>>>(reinterpret_cast<const uchar4*>(from), rows, count,
                                                     width / 4, reinterpret_cast<uchar4*>(to));
  else
    index_select_kernel<<<blocks, kThreads, 0, on>>>(from, rows, count, width, to);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw Error("index_select", cudaGetErrorString(error));
}

}  // namespace gpuvae::bench
