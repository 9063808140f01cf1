// Running sums of the loss terms, the first step whose loss was not finite, and the step counters.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/noise.cuh"

namespace gpuvae::kernels {
namespace {

// Adds the terms of a step to the totals.
__device__ __forceinline__ void add_terms(const MetricsArgs& args, bool updated) {
  double sum = 0;
#pragma unroll
  for (int i = 0; i < kMaxMetrics; ++i) {
    if (i >= args.count) break;
    const double term = args.weights[i] * *static_cast<const float*>(args.terms[i]);
    args.totals[i] += term;
    sum += term;
  }
  const bool bad = !updated || !std::isfinite(sum);
  if (bad && *args.bad_step == 0) *args.bad_step = finished_steps(args.clock) + 1;
}

__global__ void metrics_kernel(MetricsArgs args) {
  if (threadIdx.x != 0) return;
  const bool updated = !args.gradient_scale || !std::isnan(*static_cast<const float*>(args.gradient_scale));
  if (updated && args.updates) ++*args.updates;
  if (!updated && args.skipped) {
    ++args.skipped->steps;
    args.skipped->images += args.images;
  } else {
    add_terms(args, updated);
  }
  if (args.advance) ++*args.advance;
}

__global__ void ramp_kernel(RampArgs args) {
  if (threadIdx.x != 0) return;
  const double part = static_cast<double>(finished_steps(args.clock)) / args.steps;
  *static_cast<float*>(args.out) = static_cast<float>(args.height * (part < 1 ? part : 1));
}

__global__ void advance_kernel(std::uint64_t* counter, std::uint64_t by) {
  if (threadIdx.x == 0) *counter += by;
}

}  // namespace

void CudaBackend::run(const MetricsArgs& args, StreamHandle stream) {
  require_f32("accumulate_metrics", args.dtype);
  if (args.count > kMaxMetrics) fail_size("accumulate_metrics", "at most 4 terms", args.count);
  const DeviceGuard on(device_);
  const bool something = args.count > 0 || args.advance;
  launch({"accumulate_metrics", "metrics_kernel", something ? 1 : 0, 32, args.count, stream}, metrics_kernel,
         args);
}

void CudaBackend::run(const RampArgs& args, StreamHandle stream) {
  require_f32("ramp", args.dtype);
  const DeviceGuard on(device_);
  launch({"ramp", "ramp_kernel", 1, 32, 1, stream}, ramp_kernel, args);
}

void CudaBackend::run(const AdvanceArgs& args, StreamHandle stream) {
  const DeviceGuard on(device_);
  launch({"advance", "advance_kernel", 1, 32, 1, stream}, advance_kernel, args.counter, args.by);
}

}  // namespace gpuvae::kernels
