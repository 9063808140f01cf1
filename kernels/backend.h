// The only interface between host code and kernels. The method of a kernel takes one struct of raw pointers
// and sizes, so kernels do not depend on tensors or autograd and can be tested separately.
//
// Every CUDA file includes this header, and nvcc compiles it five times per file. It therefore leaves out
// <string>, <functional> and <atomic>, which need about a second each: std::string is only declared, and
// backend.cpp defines what needs the others.
//
// Conventions. Matrices are row-major and contiguous. Pointers refer to memory of the backend's device; only
// pointers marked "or null" may be null. `dtype` is the element type of every void pointer unless a comment
// says otherwise: f32, or f64 on the CPU only. Sizes may be 0. Outputs do not overlap inputs unless a comment
// allows it. Kernels run asynchronously on `stream` and are deterministic. The methods throw gpuvae::Error
// for arguments that they do not support.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>

#include "gpuvae/enums.h"
#include "kernels/fused_step.h"
#include "kernels/noise.h"
#include "kernels/ops/categorical.h"
#include "kernels/ops/covariance.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/flow.h"
#include "kernels/ops/gate.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/importance.h"
#include "kernels/ops/mixture.h"
#include "kernels/ops/random.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/shape.h"

namespace gpuvae::kernels {

using StreamHandle = void*;  // cudaStream_t, or null on the CPU
using EventHandle = void*;
using GraphHandle = void*;

class KernelObserver;  // kernels/observer.h

// The list of kernels as KERNEL(method of Backend, argument struct). The structs are declared in kernels/ops
// and kernels/fused_step.h. fused_step and curand exist only on CUDA (the CPU backend throws Error), and
// curand must not be captured in a graph.
#define GPUVAE_KERNELS(KERNEL)                                         \
  KERNEL(gemm, GemmArgs)                                               \
  KERNEL(activation_backward, ActivationBackwardArgs)                  \
  KERNEL(unary, UnaryArgs)                                             \
  KERNEL(unary_backward, UnaryBackwardArgs)                            \
  KERNEL(binary, BinaryArgs)                                           \
  KERNEL(axpby, AxpbyArgs)                                             \
  KERNEL(fill, FillArgs)                                               \
  KERNEL(cast, CastArgs)                                               \
  KERNEL(reduce, ReduceArgs)                                           \
  KERNEL(softmax, SoftmaxArgs)                                         \
  KERNEL(clip, ClipArgs)                                               \
  KERNEL(copy, CopyArgs)                                               \
  KERNEL(copy_columns, ColumnsArgs)                                    \
  KERNEL(transpose, TransposeArgs)                                     \
  KERNEL(repeat_rows, RepeatRowsArgs)                                  \
  KERNEL(sum_repeats, SumRepeatsArgs)                                  \
  KERNEL(random, RandomArgs)                                           \
  KERNEL(curand, CurandArgs)                                           \
  KERNEL(posterior, PosteriorArgs)                                     \
  KERNEL(posterior_backward, PosteriorBackwardArgs)                    \
  KERNEL(posterior_draws, PosteriorDrawsArgs)                          \
  KERNEL(posterior_draws_backward, PosteriorDrawsBackwardArgs)         \
  KERNEL(importance, ImportanceArgs)                                   \
  KERNEL(likelihood, LikelihoodArgs)                                   \
  KERNEL(log_density, LogDensityArgs)                                  \
  KERNEL(log_density_backward, LogDensityBackwardArgs)                 \
  KERNEL(categorical, CategoricalArgs)                                 \
  KERNEL(categorical_backward, CategoricalBackwardArgs)                \
  KERNEL(mixture, MixtureArgs)                                         \
  KERNEL(match, MatchArgs)                                             \
  KERNEL(mixture_backward, MixtureBackwardArgs)                        \
  KERNEL(gate, GateArgs)                                               \
  KERNEL(gate_backward, GateBackwardArgs)                              \
  KERNEL(planar_flow, PlanarFlowArgs)                                  \
  KERNEL(planar_flow_backward, PlanarFlowBackwardArgs)                 \
  KERNEL(autoregressive_step, AutoregressiveStepArgs)                  \
  KERNEL(autoregressive_step_backward, AutoregressiveStepBackwardArgs) \
  KERNEL(full_covariance, CovarianceArgs)                              \
  KERNEL(full_covariance_backward, CovarianceBackwardArgs)             \
  KERNEL(optimizer_step, OptimizerArgs)                                \
  KERNEL(average, AverageArgs)                                         \
  KERNEL(gather, GatherArgs)                                           \
  KERNEL(accumulate_metrics, MetricsArgs)                              \
  KERNEL(ramp, RampArgs)                                               \
  KERNEL(advance, AdvanceArgs)                                         \
  KERNEL(fused_step, FusedStepArgs)

class Backend {
 public:
  virtual ~Backend() = default;

  // ---- the device: memory, streams, events ----
  virtual std::string description() const = 0;
  virtual bool supports(Precision precision) const = 0;  // precisions of gemm
  // Returns the reason why fused_step cannot run on this device, in one line, or "" if it can.
  virtual std::string fused_step_unavailable() const = 0;
  // Returns the size in bytes of ReluMask::bits for an output of [m, n], or 0 if gemm does not use masks.
  virtual std::size_t relu_mask_bytes(std::int64_t m, std::int64_t n) const = 0;
  // Allocates device memory from the driver, or from the operating system on the CPU. Throws Error if there
  // is not enough. The memory pool calls this only if it has no free block of the size.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) noexcept = 0;
  // Returns the number of bytes that allocations can still get, as far as it is known: the free memory of a
  // GPU, or the memory that the operating system can provide without swapping.
  virtual std::size_t available_memory() const = 0;
  // Page-locked host memory, which a GPU reads while the host goes on. Throws Error if there is not enough.
  virtual void* allocate_pinned(std::size_t bytes) = 0;
  virtual void release_pinned(void* pointer) noexcept = 0;
  // Copies from page-locked memory. It returns at once: the memory must keep its content until the stream has
  // done the copy.
  virtual void copy_pinned_to_device(void* to, const void* from, std::size_t bytes, StreamHandle) = 0;
  // Copies that are ordered with the other work of the stream. copy_to_device() returns when `from` may be
  // overwritten; copy_from_device() returns when the data has arrived.
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
  // Returns the number of kernel launches of this process so far, on all GPUs. A call of cuBLASLt or cuRAND
  // counts as one. A captured kernel counts once, when it is captured; launches of the graph do not count.
  // The number is always 0 on the CPU.
  virtual std::uint64_t launches() const = 0;

  // ---- graphs: work queued between begin_capture() and end_capture() is recorded instead of run ----
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

  // Sends all later kernel calls to `observer`, or runs them directly if it is null. Returns the previous
  // observer. No other thread may use this backend during set_observer().
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

// Returns null if the build has no CUDA or GPU number `device` is missing or unusable; cuda_status() returns
// the reason as text.
Backend* cuda_backend(int device);
int cuda_device_count();
std::string cuda_status();

}  // namespace gpuvae::kernels
