// Memory, copies, streams and events of the CUDA backend.
#include <cuda_runtime_api.h>

#include <algorithm>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/runtime/capture.h"
#include "kernels/cuda/runtime/errors.h"
#include "kernels/cuda/runtime/resources.h"
#include "kernels/ranges.h"

namespace gpuvae::kernels {
namespace {

// Returns whether cudaMemcpyAsync() reads the memory after it has returned. It does so for page-locked
// memory, but not for pageable memory.
bool is_read_later(const void* host) {
  cudaPointerAttributes attributes{};
  check_cuda(cudaPointerGetAttributes(&attributes, host), "copy_to_device", "cudaPointerGetAttributes");
  return attributes.type != cudaMemoryTypeUnregistered;
}

int attribute_of(const CudaDevice& device, cudaDeviceAttr attribute) {
  int value = 0;
  check_cuda(cudaDeviceGetAttribute(&value, attribute, device.index), "device", "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

CudaBackend::CudaBackend(const CudaDevice& device, int architecture)
    : device_(device),
      architecture_(architecture),
      multiprocessors_(attribute_of(device, cudaDevAttrMultiProcessorCount)),
      capability_(10 * attribute_of(device, cudaDevAttrComputeCapabilityMajor) +
                  attribute_of(device, cudaDevAttrComputeCapabilityMinor)),
      resources_(new Resources) {
  find_profiler();
}

CudaBackend::~CudaBackend() { delete resources_; }

std::int64_t CudaBackend::blocks(std::int64_t items, std::int64_t per_block, std::int64_t at_least) const {
  constexpr std::int64_t kBlocksPerMultiprocessor = 8;
  const std::int64_t most = kBlocksPerMultiprocessor * multiprocessors_;
  return std::max(at_least, std::min((items + per_block - 1) / per_block, most));
}

Scratch CudaBackend::scratch(StreamHandle stream) { return resources_->workspaces.scratch(stream); }

std::string CudaBackend::description() const {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device_.index), "description", "cudaGetDeviceProperties");
  return fmt::format("{}, compute capability {}.{}, {:.0f} GiB", properties.name, properties.major,
                     properties.minor, static_cast<double>(properties.totalGlobalMem) / (1 << 30));
}

void* CudaBackend::allocate(std::size_t bytes) {
  const DeviceGuard on(device_);
  if (bytes == 0) return nullptr;
  void* pointer = nullptr;
  const RelaxedCapture relaxed;
  const cudaError_t error = cudaMalloc(&pointer, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    check_cuda(cudaMemGetInfo(&free, &total), "allocate", "cudaMemGetInfo");
    fail(Origin("allocate", ErrorKind::out_of_memory),
         "out of memory on CUDA device {}: {} bytes requested, {} of {} free", device_.index, bytes, free,
         total);
  }
  check_cuda(error, "allocate", "cudaMalloc");
  return pointer;
}

void CudaBackend::release(void* pointer) noexcept {
  const DeviceGuard on(device_, std::nothrow);
  if (on.is_active()) cudaFree(pointer);
}

std::size_t CudaBackend::available_memory() const {
  const DeviceGuard on(device_);
  std::size_t free = 0, total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), "available_memory", "cudaMemGetInfo");
  return free;
}

void* CudaBackend::allocate_pinned(std::size_t bytes) {
  const DeviceGuard on(device_);
  void* pointer = nullptr;
  check_cuda(cudaMallocHost(&pointer, bytes), "allocate_pinned", "cudaMallocHost");
  return pointer;
}

void CudaBackend::release_pinned(void* pointer) noexcept {
  const DeviceGuard on(device_, std::nothrow);
  if (on.is_active()) cudaFreeHost(pointer);
}

void CudaBackend::copy_pinned_to_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  if (bytes == 0) return;
  const DeviceGuard on(device_);
  refuse_in_capture("copy_to_device", stream);
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda(stream)), "copy_to_device",
             "cudaMemcpyAsync");
}

void CudaBackend::copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  if (bytes == 0) return;
  const DeviceGuard on(device_);
  refuse_in_capture("copy_to_device", stream);  // a replay would read memory that no longer exists
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda(stream)), "copy_to_device",
             "cudaMemcpyAsync");
  if (is_read_later(from)) synchronize(stream);
}

void CudaBackend::copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  if (bytes == 0) return;
  const DeviceGuard on(device_);
  refuse_in_capture("copy_from_device", stream);
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, cuda(stream)), "copy_from_device",
             "cudaMemcpyAsync");
  synchronize(stream);
}

void CudaBackend::run(const CopyArgs& args, StreamHandle stream) {
  if (args.count == 0) return;
  const DeviceGuard on(device_);
  check_cuda(cudaMemcpyAsync(args.to, args.from, args.count, cudaMemcpyDeviceToDevice, cuda(stream)), "copy",
             "cudaMemcpyAsync");
}

StreamHandle CudaBackend::create_stream() {
  const DeviceGuard on(device_);
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create_stream",
             "cudaStreamCreateWithFlags");
  return stream;
}

void CudaBackend::destroy_stream(StreamHandle stream) noexcept {
  if (!stream) return;
  const DeviceGuard on(device_, std::nothrow);
  if (!on.is_active()) return;
  cudaStreamSynchronize(cuda(stream));
  resources_->workspaces.forget(stream);
  cudaStreamDestroy(cuda(stream));
}

void CudaBackend::synchronize(StreamHandle stream) {
  const DeviceGuard on(device_);
  refuse_in_capture("synchronize", stream);
  check_cuda(cudaStreamSynchronize(cuda(stream)), "synchronize", "cudaStreamSynchronize");
}

EventHandle CudaBackend::record_event(StreamHandle stream) {
  const DeviceGuard on(device_);
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreate(&event), "record_event", "cudaEventCreate");
  const cudaError_t error = cudaEventRecord(event, cuda(stream));
  if (error != cudaSuccess) {
    cudaEventDestroy(event);
    fail_cuda(error, "record_event", "cudaEventRecord");
  }
  return event;
}

void CudaBackend::wait_event(StreamHandle stream, EventHandle event) {
  const DeviceGuard on(device_);
  check_cuda(cudaStreamWaitEvent(cuda(stream), static_cast<cudaEvent_t>(event), 0), "wait_event",
             "cudaStreamWaitEvent");
}

double CudaBackend::milliseconds_between(EventHandle first, EventHandle second) {
  const DeviceGuard on(device_);
  float milliseconds = 0;
  check_cuda(cudaEventSynchronize(static_cast<cudaEvent_t>(second)), "milliseconds_between",
             "cudaEventSynchronize");
  check_cuda(
      cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(first), static_cast<cudaEvent_t>(second)),
      "milliseconds_between", "cudaEventElapsedTime");
  return milliseconds;
}

void CudaBackend::synchronize_event(EventHandle event) {
  const DeviceGuard on(device_);
  check_cuda(cudaEventSynchronize(static_cast<cudaEvent_t>(event)), "synchronize_event",
             "cudaEventSynchronize");
}

void CudaBackend::destroy_event(EventHandle event) noexcept {
  if (!event) return;
  const DeviceGuard on(device_, std::nothrow);
  if (on.is_active()) cudaEventDestroy(static_cast<cudaEvent_t>(event));
}

}  // namespace gpuvae::kernels
