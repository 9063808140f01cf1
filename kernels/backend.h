// The one interface between host code and kernels. Each method starts a kernel; its arguments are raw
// pointers and sizes in one struct, so kernels do not depend on tensors or autograd and can be tested
// separately.
//
// Every CUDA file includes this header, and nvcc compiles it five times per file. It therefore leaves out
// <string>, <functional> and <atomic>, which need about a second each: std::string is only declared, and
// backend.cpp defines what needs the others.
//
// Conventions. Matrices are row-major and contiguous. Pointers refer to memory of the backend's device; only
// pointers marked "or null" may be null. `dtype` is the type of every untyped pointer: f32, or f64 on the CPU
// only. Sizes may be 0. Outputs do not overlap inputs unless a comment allows it. Kernels are asynchronous on
// `stream` and deterministic, and throw gpuvae::Error if they do not support a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>

#include "gpuvae/enums.h"
#include "kernels/fused_step.h"
#include "kernels/noise.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/mixture.h"
#include "kernels/ops/random.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/shape.h"

namespace gpuvae::kernels {

using StreamHandle = void*;  // cudaStream_t, or null on the CPU
using EventHandle = void*;
using GraphHandle = void*;

class KernelObserver;  // kernels/observer.h

// The list of kernels: the method of Backend that starts the kernel, and its arguments, which kernels/ops
// describes. fused_step and curand exist only on CUDA (the CPU backend throws Error), and curand must not be
// captured in a graph.
#define GPUVAE_KERNELS(KERNEL)                        \
  KERNEL(gemm, GemmArgs)                              \
  KERNEL(activation_backward, ActivationBackwardArgs) \
  KERNEL(unary, UnaryArgs)                            \
  KERNEL(unary_backward, UnaryBackwardArgs)           \
  KERNEL(binary, BinaryArgs)                          \
  KERNEL(axpby, AxpbyArgs)                            \
  KERNEL(fill, FillArgs)                              \
  KERNEL(cast, CastArgs)                              \
  KERNEL(reduce, ReduceArgs)                          \
  KERNEL(softmax, SoftmaxArgs)                        \
  KERNEL(clip, ClipArgs)                              \
  KERNEL(copy, CopyArgs)                              \
  KERNEL(copy_columns, ColumnsArgs)                   \
  KERNEL(transpose, TransposeArgs)                    \
  KERNEL(repeat_rows, RepeatRowsArgs)                 \
  KERNEL(random, RandomArgs)                          \
  KERNEL(curand, CurandArgs)                          \
  KERNEL(posterior, PosteriorArgs)                    \
  KERNEL(posterior_backward, PosteriorBackwardArgs)   \
  KERNEL(likelihood, LikelihoodArgs)                  \
  KERNEL(log_density, LogDensityArgs)                 \
  KERNEL(mixture, MixtureArgs)                        \
  KERNEL(mixture_backward, MixtureBackwardArgs)       \
  KERNEL(optimizer_step, OptimizerArgs)               \
  KERNEL(gather, GatherArgs)                          \
  KERNEL(accumulate_metrics, MetricsArgs)             \
  KERNEL(ramp, RampArgs)                              \
  KERNEL(advance, AdvanceArgs)                        \
  KERNEL(fused_step, FusedStepArgs)

class Backend {
 public:
  virtual ~Backend() = default;

  // ---- the device: memory, streams, events ----
  virtual std::string description() const = 0;
  virtual bool supports(Precision precision) const = 0;  // precisions of gemm
  // Returns the reason why fused_step cannot run on this device, in one line, or "" if it can.
  virtual std::string fused_step_unavailable() const = 0;
  // Returns the size of a ReLU mask for an output of [m, n], or 0 if gemm does not use masks.
  virtual std::size_t relu_mask_bytes(std::int64_t m, std::int64_t n) const = 0;
  // Returns system memory of the device. Throws Error if none is left. The memory pool calls it rarely.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) noexcept = 0;
  // Stream-ordered copies. copy_to_device() returns when the source may be reused; copy_from_device() waits
  // for the data.
  virtual void copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle) = 0;
  virtual void copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle) = 0;
  virtual StreamHandle create_stream() = 0;
  virtual void destroy_stream(StreamHandle) noexcept = 0;
  virtual void synchronize(StreamHandle) = 0;
  virtual EventHandle record_event(StreamHandle) = 0;
  virtual void wait_event(StreamHandle, EventHandle) = 0;             // the stream waits, not the host
  virtual double milliseconds_between(EventHandle, EventHandle) = 0;  // waits for the second event
  virtual void synchronize_event(EventHandle) = 0;                    // the host waits
  virtual void destroy_event(EventHandle) noexcept = 0;
  // The number of kernels that this process has started so far. A product of cuBLASLt counts as one. The
  // number is 0 on the CPU.
  virtual std::uint64_t launches() const = 0;

  // ---- graphs: work that is queued on a stream between begin and end is recorded instead of run ----
  virtual void begin_capture(StreamHandle) = 0;
  virtual GraphHandle end_capture(StreamHandle) = 0;  // ready to launch
  virtual void discard_capture(StreamHandle) noexcept = 0;
  virtual void launch_graph(GraphHandle, StreamHandle) = 0;
  virtual std::size_t graph_nodes(GraphHandle) = 0;
  virtual void destroy_graph(GraphHandle) noexcept = 0;  // allowed while a launch is running

  // ---- kernels ----
#define GPUVAE_METHOD(method, Args) void method(const Args& args, StreamHandle stream);
  GPUVAE_KERNELS(GPUVAE_METHOD)
#undef GPUVAE_METHOD

  // Routes all later kernel calls through `observer`, or through none if it is null. Returns the previous
  // observer. Nothing else may use the device during the call.
  KernelObserver* set_observer(KernelObserver* observer);

 protected:
#define GPUVAE_RUN(method, Args) virtual void run(const Args& args, StreamHandle stream) = 0;
  GPUVAE_KERNELS(GPUVAE_RUN)
#undef GPUVAE_RUN

 private:
  template <class Args>
  void start(const char* name, const Args& args, StreamHandle stream);

  KernelObserver* observer_ = nullptr;  // accessed through std::atomic_ref
};

Backend& cpu_backend();

// Returns null if the build has no CUDA or the machine has no usable GPU; cuda_status() returns the reason as
// text.
Backend* cuda_backend(int device);
int cuda_device_count();
std::string cuda_status();

}  // namespace gpuvae::kernels
