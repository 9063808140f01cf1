// Emulates libcudart: kernel launches, which the PTX executor runs.
#include <algorithm>
#include <span>
#include <vector>

#include "detail.h"
#include "machine.h"
#include "mutant.h"

namespace emulator::detail {
namespace {

// Launches of one stream that do not run yet, because a following dependent launch may overlap with them.
struct Held {
  cudaStream_t stream = nullptr;
  std::vector<ptx::Launch> launches;
};
Held& held() {
  static Held& all = *new Held;
  return all;
}

void run_now(const std::vector<ptx::Launch>& launches) {
  const DeviceAccess access;
  try {
    const std::vector<ptx::Counters> results = ptx::run(device_memory(), launches, current().kernels);
    for (std::size_t i = 0; i < results.size(); ++i) {
      ++counters().kernels_run;
      count(results[i]);
      note_coverage(*launches[i].kernel, results[i].executed);
    }
  } catch (const ptx::Error& e) {
    throw Error(e.what());
  }
}

// Holds a launch back while a dependent launch of the same stream may still overlap with it.
void run_or_hold(const ptx::Launch& launch, cudaStream_t stream) {
  if (!launch.programmatic || held().stream != stream) flush_launches();
  held().stream = stream;
  held().launches.push_back(launch);
  if (!current().overlap) flush_launches();
}

bool is_programmatic(const cudaLaunchConfig_t& config) {
  bool programmatic = false;
  for (const cudaLaunchAttribute& a : std::span(config.attrs, config.numAttrs)) {
    if (a.id == cudaLaunchAttributeProgrammaticStreamSerialization)
      programmatic = a.val.programmaticStreamSerializationAllowed != 0;
    else
      fail("launch attribute %d is not emulated", int(a.id));
  }
  return programmatic;
}

cudaError_t refusal(const cudaLaunchConfig_t& config, const void* host_function, const Function& f) {
  const dim3 grid = config.gridDim, block = config.blockDim;
  const std::size_t threads = std::size_t(block.x) * block.y * block.z;
  const bool fits = threads > 0 && threads <= kMaxThreadsPerBlock && block.z <= 64 && grid.x > 0 &&
                    grid.y > 0 && grid.z > 0 && grid.x <= 0x7fffffffu && grid.y <= kMaxGridYZ &&
                    grid.z <= kMaxGridYZ;
  if (!fits) return cudaErrorInvalidConfiguration;
  if (threads > f.kernel->syntax->max_threads) return cudaErrorLaunchOutOfResources;
  return config.dynamicSmemBytes > dynamic_shared_limit(host_function) ? cudaErrorInvalidValue : cudaSuccess;
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* host_function, void** arguments) {
  const bool programmatic = is_programmatic(config);
  const Function* f = find_function(host_function);
  if (!f) return cudaErrorNoKernelImageForDevice;
  if (const cudaError_t refused = refusal(config, host_function, *f); refused != cudaSuccess) return refused;
  const auto dims = [](dim3 d) { return ptx::Dim3{d.x, d.y, d.z}; };
  ptx::Launch what = f->module->prepare(*f->kernel, dims(config.gridDim), dims(config.blockDim),
                                        config.dynamicSmemBytes, arguments);
  // Dependent launches do not exist below compute capability 9.0: the attribute then has no effect.
  what.programmatic = programmatic && compute_capability() >= 90;
  const cudaStream_t stream = config.stream;
  if (!is_capturing(stream)) ++counters().kernel_launches;
  return enqueue(stream, cudaGraphNodeTypeKernel,
                 [what = std::move(what), stream] { run_or_hold(what, stream); });
}

// The <<<...>>> syntax passes its arguments through this stack to the stub that nvcc generates.
thread_local std::vector<cudaLaunchConfig_t> pushed;

}  // namespace

void flush_launches() {
  if (held().launches.empty()) return;
  std::vector<ptx::Launch> launches;
  launches.swap(held().launches);
  run_now(launches);
}

}  // namespace emulator::detail

using namespace emulator::detail;

extern "C" {

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void** arguments) {
  return entry_point([=] { return launch(*config, function, arguments); });
}
cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments,
                             std::size_t shared, cudaStream_t stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelExC(&config, function, arguments);
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  pushed.push_back(config);
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  if (pushed.empty()) return cudaErrorInvalidConfiguration;
  const cudaLaunchConfig_t config = pushed.back();
  pushed.pop_back();
  *grid = config.gridDim;
  *block = config.blockDim;
  *shared = config.dynamicSmemBytes;
  *static_cast<cudaStream_t*>(stream) = config.stream;
  return cudaSuccess;
}
// The handle of a kernel is the host function itself.
cudaError_t __cudaGetKernel(cudaKernel_t* handle, const void* function) {
  *handle = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t handle, dim3 grid, dim3 block, void** arguments,
                               std::size_t shared, cudaStream_t stream) {
  return cudaLaunchKernel(reinterpret_cast<const void*>(handle), grid, block, arguments, shared, stream);
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute asked, int value) {
  return entry_point([=] {
    return asked == cudaFuncAttributeMaxDynamicSharedMemorySize ? set_dynamic_shared_limit(kernel, value)
                                                                : cudaSuccess;
  });
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return entry_point([=] {
    const Function* f = find_function(kernel);
    if (!f) return cudaErrorNoKernelImageForDevice;
    *attributes = {};
    attributes->sharedSizeBytes = static_shared_bytes(*f->kernel);
    attributes->localSizeBytes = f->kernel->local_bytes;
    attributes->maxThreadsPerBlock = int(f->kernel->syntax->max_threads);
    attributes->maxDynamicSharedSizeBytes = int(dynamic_shared_limit(kernel));
    attributes->numRegs = 32;
    attributes->ptxVersion = f->target;
    attributes->binaryVersion = compute_capability();
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* kernel,
                                                                   int threads, std::size_t bytes, unsigned) {
  return entry_point([=] {
    *blocks = bytes > dynamic_shared_limit(kernel) ? 0 : blocks_per_multiprocessor(threads);
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int threads,
                                                          std::size_t bytes) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, kernel, threads, bytes, 0);
}

}  // extern "C"
