// Emulates the part of the CUDA runtime and driver that manages devices and the current context of each
// thread.
//
// The runtime acts on the context that is current on the calling thread. If no context is current, a call
// that needs one creates the primary context of the device that the thread selected last, and makes it
// current (CUDA Runtime API, "Interactions with the CUDA Driver API").
#include <cuda.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "detail.h"

// The primary context of a device. `created` is false until a call needs the context.
struct CUctx_st {
  int device = 0;
  bool created = false;
};

namespace emulator {
namespace detail {
namespace {

std::vector<CUctx_st>& primary_contexts() {
  static auto& all = *new std::vector<CUctx_st>([] {
    std::vector<CUctx_st> contexts(static_cast<std::size_t>(device_count()));
    for (int i = 0; i < device_count(); ++i) contexts[static_cast<std::size_t>(i)].device = i;
    return contexts;
  }());
  return all;
}

CUctx_st* create_context(int device) {
  CUctx_st& context = primary_contexts()[static_cast<std::size_t>(device)];
  context.created = true;
  return &context;
}

thread_local std::vector<CUctx_st*> stack;  // pushed contexts; the last one is current
thread_local int selected = 0;              // the device that cudaSetDevice selected

void make_current(CUctx_st* context) {
  if (stack.empty()) stack.push_back(nullptr);
  stack.back() = context;
}

CUctx_st* current_context() { return stack.empty() ? nullptr : stack.back(); }

}  // namespace

int device_count() {
  const char* asked = std::getenv("PTX_DEVICES");
  return asked ? std::max(1, std::atoi(asked)) : 1;
}

int current_device() { return current_context() ? current_context()->device : selected; }

void require_context() {
  if (!current_context()) make_current(create_context(selected));
}

namespace {

CUresult device_get(CUdevice* device, int ordinal) {
  if (ordinal < 0 || ordinal >= device_count()) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}
CUresult retain(CUcontext* context, CUdevice device) {
  if (device < 0 || device >= device_count()) return CUDA_ERROR_INVALID_DEVICE;
  *context = create_context(device);
  return CUDA_SUCCESS;
}
CUresult get_current(CUcontext* context) {
  *context = current_context();
  return CUDA_SUCCESS;
}
CUresult push(CUcontext context) {
  if (!context) return CUDA_ERROR_INVALID_CONTEXT;
  stack.push_back(context);
  return CUDA_SUCCESS;
}
CUresult pop(CUcontext* context) {
  if (!current_context()) return CUDA_ERROR_INVALID_CONTEXT;
  *context = stack.back();
  stack.pop_back();
  return CUDA_SUCCESS;
}
CUresult error_name(CUresult error, const char** name) {
  *name = error == CUDA_ERROR_INVALID_DEVICE    ? "CUDA_ERROR_INVALID_DEVICE"
          : error == CUDA_ERROR_INVALID_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT"
                                                : nullptr;
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// Returns a driver function that the backend uses, or null for any other name.
void* driver_function(std::string_view name) {
  if (name == "cuDeviceGet") return reinterpret_cast<void*>(device_get);
  if (name == "cuDevicePrimaryCtxRetain") return reinterpret_cast<void*>(retain);
  if (name == "cuCtxGetCurrent") return reinterpret_cast<void*>(get_current);
  if (name == "cuCtxPushCurrent") return reinterpret_cast<void*>(push);
  if (name == "cuCtxPopCurrent") return reinterpret_cast<void*>(pop);
  if (name == "cuGetErrorName") return reinterpret_cast<void*>(error_name);
  return nullptr;
}

}  // namespace
}  // namespace detail

bool has_context(int device) {
  const std::scoped_lock lock(detail::device_mutex());
  return detail::primary_contexts().at(static_cast<std::size_t>(device)).created;
}

}  // namespace emulator

using namespace emulator::detail;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = missing_device() == cudaSuccess ? device_count() : 0;
  return remember(missing_device());
}
cudaError_t cudaGetDevice(int* device) {
  return query_point([=] { return *device = current_device(), cudaSuccess; });
}
// Since CUDA 12, cudaSetDevice also creates the primary context of the device.
cudaError_t cudaSetDevice(int device) {
  return query_point([=] {
    if (device < 0 || device >= device_count()) return cudaErrorInvalidDevice;
    selected = device;
    make_current(create_context(device));
    return cudaSuccess;
  });
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                             unsigned long long, cudaDriverEntryPointQueryResult* result) {
  return query_point([=] {
    *function = driver_function(symbol);
    *result = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
  });
}

}  // extern "C"
