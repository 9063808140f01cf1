// Emulates libcudart: properties of the devices, and errors.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "detail.h"

namespace emulator {
namespace detail {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

std::recursive_mutex& device_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

cudaError_t missing_device() {
  const char* asked = std::getenv("PTX_NO_DEVICE");
  if (!asked) return cudaSuccess;
  return std::string_view(asked) == "driver" ? cudaErrorInsufficientDriver : cudaErrorNoDevice;
}

cudaError_t remember(cudaError_t e) {
  if (e != cudaSuccess) last_error = e;
  return e;
}

Counters& counters() {
  static Counters counts{};
  return counts;
}

cudaError_t count_call() {
  const std::uint64_t call = ++counters().calls, fault = current().fault_at_call;
  return fault != 0 && call >= fault ? cudaErrorIllegalAddress : cudaSuccess;
}

int multiprocessors() {  // few by default, so that grid-stride loops run more than once
  const char* asked = std::getenv("PTX_SMS");
  return asked ? std::max(1, std::atoi(asked)) : 3;
}

int compute_capability() {  // 10 * major + minor
  const char* asked = std::getenv("PTX_CAPABILITY");
  return asked ? std::atoi(asked) : 90;
}

int blocks_per_multiprocessor(int threads_per_block) {
  if (threads_per_block <= 0 || threads_per_block > kMaxThreadsPerBlock) return 0;
  return kMaxThreadsPerMultiprocessor / threads_per_block;
}

namespace {

cudaError_t attribute(int* value, cudaDeviceAttr asked) {
  switch (asked) {
    case cudaDevAttrMultiProcessorCount:
      *value = multiprocessors();
      break;
    case cudaDevAttrWarpSize:
      *value = 32;
      break;
    case cudaDevAttrMaxThreadsPerBlock:
      *value = kMaxThreadsPerBlock;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = kMaxThreadsPerMultiprocessor;
      break;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      *value = 32;
      break;
    case cudaDevAttrMaxGridDimX:
      *value = 0x7fffffff;
      break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      *value = kMaxGridYZ;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = int(kSharedPerBlock);
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = int(kSharedPerBlockOptIn);
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = 228 * 1024;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = compute_capability() / 10;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = compute_capability() % 10;
      break;
    case cudaDevAttrCooperativeLaunch:
      *value = 0;
      break;
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrUnifiedAddressing:
      *value = 1;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 4 << 20;
      break;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
      *value = 1'000'000;
      break;  // kHz
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = 64;
      break;
    default:
      fail("cudaDeviceGetAttribute(%d): not emulated", int(asked));
  }
  return cudaSuccess;
}

cudaDeviceProp properties() {
  cudaDeviceProp p{};
  std::strcpy(p.name, "emulated");
  p.major = compute_capability() / 10;
  p.minor = compute_capability() % 10;
  p.warpSize = 32;
  p.multiProcessorCount = multiprocessors();
  p.totalGlobalMem = 8ull << 30;
  p.sharedMemPerBlock = kSharedPerBlock;
  p.sharedMemPerBlockOptin = kSharedPerBlockOptIn;
  p.sharedMemPerMultiprocessor = 228 * 1024;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536;
  p.maxThreadsPerBlock = kMaxThreadsPerBlock;
  p.maxThreadsPerMultiProcessor = kMaxThreadsPerMultiprocessor;
  p.maxBlocksPerMultiProcessor = 32;
  p.maxThreadsDim[0] = p.maxThreadsDim[1] = kMaxThreadsPerBlock;
  p.maxThreadsDim[2] = 64;
  p.maxGridSize[0] = 0x7fffffff;
  p.maxGridSize[1] = p.maxGridSize[2] = kMaxGridYZ;
  p.l2CacheSize = 4 << 20;
  p.memoryBusWidth = 64;
  p.unifiedAddressing = p.memoryPoolsSupported = p.concurrentKernels = 1;
  return p;
}

bool is_device(int device) { return device >= 0 && device < device_count(); }

struct Named {
  cudaError_t error;
  const char *name, *text;
};
constexpr Named kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
};
Named named(cudaError_t e) {
  const auto* found =
      std::find_if(std::begin(kErrors), std::end(kErrors), [=](const Named& n) { return n.error == e; });
  return found == std::end(kErrors) ? Named{e, "unrecognized error code", "unrecognized error code"} : *found;
}

}  // namespace
}  // namespace detail

Counters counters() {
  const std::scoped_lock lock(detail::device_mutex());
  return detail::counters();
}

}  // namespace emulator

using namespace emulator::detail;

extern "C" {

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorString(cudaError_t e) { return named(e).text; }
const char* cudaGetErrorName(cudaError_t e) { return named(e).name; }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr asked, int device) {
  return query_point([=] { return is_device(device) ? attribute(value, asked) : cudaErrorInvalidDevice; });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* prop, int device) {
  return query_point([=] {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    *prop = properties();
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int device) {
  return query_point([=] {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    std::snprintf(id, std::size_t(length), "0000:%02x:00.0", unsigned(device));
    return cudaSuccess;
  });
}
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) {
  return *version = missing_device() == cudaErrorInsufficientDriver ? 0 : CUDART_VERSION, cudaSuccess;
}

}  // extern "C"
