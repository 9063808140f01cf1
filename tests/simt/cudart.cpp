// Stands in for libcudart: the device, errors and functions. Memory and streams have files of their own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include "detail.h"

namespace simt {
namespace detail {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

std::map<const void*, std::size_t>& dynamic_limits() {
  static auto& limits = *new std::map<const void*, std::size_t>;
  return limits;
}

}  // namespace

std::recursive_mutex& device_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

cudaError_t missing_device() {
  const char* asked = std::getenv("SIMT_NO_DEVICE");
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

std::size_t dynamic_shared_limit(const void* kernel) {
  const auto found = dynamic_limits().find(kernel);
  return found == dynamic_limits().end() ? kSharedPerBlock : found->second;
}

int multiprocessors() {  // few, so that persistent kernels loop
  const char* asked = std::getenv("SIMT_SMS");
  return asked ? std::max(1, std::atoi(asked)) : 3;
}

int compute_capability() {  // 10 * major + minor
  const char* asked = std::getenv("SIMT_CAPABILITY");
  return asked ? std::atoi(asked) : 90;
}

int blocks_per_multiprocessor(int threads_per_block) {  // at most two: every resident thread costs a stack
  if (threads_per_block <= 0 || threads_per_block > kMaxThreadsPerBlock) return 0;
  return std::min(2, kMaxThreadsPerMultiprocessor / threads_per_block);
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
  std::strcpy(p.name, "simt");
  p.major = compute_capability() / 10, p.minor = compute_capability() % 10;
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
  p.cooperativeLaunch = p.unifiedAddressing = p.memoryPoolsSupported = p.concurrentKernels = 1;
  return p;
}

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
    {cudaErrorCooperativeLaunchTooLarge, "cudaErrorCooperativeLaunchTooLarge",
     "too many blocks in cooperative launch"},
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

}  // namespace simt

using namespace simt::detail;

extern "C" {

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorString(cudaError_t e) { return named(e).text; }
const char* cudaGetErrorName(cudaError_t e) { return named(e).name; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = missing_device() == cudaSuccess ? 1 : 0;
  return remember(missing_device());
}
cudaError_t cudaGetDevice(int* device) {
  return entry_point([=] { return *device = 0, cudaSuccess; });
}
cudaError_t cudaSetDevice(int device) {
  return entry_point([=] { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr asked, int device) {
  return entry_point([=] { return device == 0 ? attribute(value, asked) : cudaErrorInvalidDevice; });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* prop, int device) {
  return entry_point([=] {
    if (device != 0) return cudaErrorInvalidDevice;
    *prop = properties();
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int device) {
  return entry_point([=] {
    if (device != 0) return cudaErrorInvalidDevice;
    std::snprintf(id, std::size_t(length), "0000:00:00.0");
    return cudaSuccess;
  });
}
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) {
  return *version = missing_device() == cudaErrorInsufficientDriver ? 0 : CUDART_VERSION, cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute asked, int value) {
  return entry_point([=] {
    if (asked != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (value < 0 || std::size_t(value) > kSharedPerBlockOptIn) return cudaErrorInvalidValue;
    dynamic_limits()[kernel] = std::size_t(value);
    return cudaSuccess;
  });
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return entry_point([=] {
    *attributes = {};
    attributes->maxThreadsPerBlock = kMaxThreadsPerBlock;
    attributes->maxDynamicSharedSizeBytes = int(dynamic_shared_limit(kernel));
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = 90;
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
