// Every kernel is launched through launch(), which skips empty grids, checks the result and names the kernel
// in errors.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "kernels/backend.h"
#include "kernels/cuda/runtime/errors.h"

namespace gpuvae::kernels {

struct Launch {
  const char* operation;  // the method of Backend, for error messages
  const char* kernel;
  std::int64_t blocks;
  dim3 block;
  std::int64_t size;  // number of elements, for messages
  StreamHandle stream;
  // Programmatic dependent launch: the kernel may start before its predecessor in the stream has ended, and
  // must itself wait for the predecessor. Requires compute capability 9.0 or above.
  bool programmatic = false;
  std::size_t shared_bytes = 0;  // dynamic shared memory, at most 48 KiB
};

// Counts a launch of this process; see Backend::launches.
void count_launch();
// Returns false if the environment variable GPUVAE_DEPENDENT_LAUNCHES is 0. Every kernel then starts after
// its predecessor has ended, which helps to tell a missing wait from other errors.
bool dependent_launches();
[[noreturn]] void fail_launch(const Launch& launch, cudaError_t error);

inline constexpr std::int64_t kMaxBlocks = 0x7fffffff;  // limit of gridDim.x

template <class... Parameters, class... Arguments>
void launch(const Launch& site, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (site.blocks == 0) return;
  if (site.blocks < 0 || site.blocks > kMaxBlocks) fail_launch(site, cudaErrorInvalidConfiguration);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(site.blocks));
  config.blockDim = site.block;
  config.dynamicSmemBytes = site.shared_bytes;
  config.stream = static_cast<cudaStream_t>(site.stream);
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  if (site.programmatic && dependent_launches()) {
    config.attrs = &overlap;
    config.numAttrs = 1;
  }
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
  if (error != cudaSuccess) [[unlikely]]
    fail_launch(site, error);
  count_launch();
}

// Returns whether all pointers are aligned to 16 bytes. A null pointer counts as aligned.
template <class... Pointers>
bool aligned16(Pointers... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) | ...) & 15) == 0;
}

}  // namespace gpuvae::kernels
