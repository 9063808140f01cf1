// Running totals of a step's loss terms, and the first step that was not finite.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/noise.cuh"

namespace gpuvae::kernels {
namespace {

__global__ void metrics_kernel(MetricsArgs args) {
  if (threadIdx.x != 0) return;
  double sum = 0;
#pragma unroll
  for (int i = 0; i < kMostMetrics; ++i) {
    if (i >= args.count) break;
    const double term = args.weights[i] * *static_cast<const float*>(args.terms[i]);
    args.totals[i] += term;
    sum += term;
  }
  if (!std::isfinite(sum) && *args.bad_step == 0) *args.bad_step = finished_steps(args.clock) + 1;
}

}  // namespace

void CudaBackend::accumulate_metrics(const MetricsArgs& args, StreamHandle stream) {
  require_f32("accumulate_metrics", args.dtype);
  if (args.count > kMostMetrics) fail_size("accumulate_metrics", "at most 4 terms", args.count);
  const DeviceGuard on(device_);
  launch({"accumulate_metrics", "metrics_kernel", args.count > 0 ? 1 : 0, 32, args.count, stream},
         metrics_kernel, args);
}

}  // namespace gpuvae::kernels
