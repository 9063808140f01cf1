// One optimiser update of a whole arena of parameters.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/optimizer_scalars.cuh"

namespace gpuvae::kernels {
namespace {

__global__ void __launch_bounds__(kThreads)
    optimizer_kernel(OptimizerArgs args, double log_beta1, double log_beta2, bool vectors) {
  float scale = 1.0f;
  if (args.gradient_scale) {
    scale = *static_cast<const float*>(args.gradient_scale);
    if (args.guarded && std::isnan(scale)) return;
  }
  __shared__ math::OptimizerScalars<float> shared;
  if (threadIdx.x == 0) shared = optimizer_scalars(args, log_beta1, log_beta2);
  __syncthreads();
  math::OptimizerScalars<float> scalars = shared;
  float* parameters = static_cast<float*>(args.parameters);
  float* state1 = static_cast<float*>(args.state1);
  float* state2 = static_cast<float*>(args.state2);
  const float* gradients = static_cast<const float*>(args.gradients);
  const float decay = static_cast<float>(args.decay);
  const bool two_states = math::optimizer_states(args.kind) == 2;
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    const Floats<kWidth> g = load<kWidth>(gradients + i);
    Floats<kWidth> p = load<kWidth>(parameters + i), s1 = load<kWidth>(state1 + i), s2{};
    if (two_states) s2 = load<kWidth>(state2 + i);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) {
      scalars.decay = i + k < args.decayed ? decay : 0.0f;
      math::optimizer_update(args.kind, scalars, scale * g[k], p[k], s1[k], s2[k]);
    }
    store(parameters + i, p);
    store(state1 + i, s1);
    if (two_states) store(state2 + i, s2);
  });
}

}  // namespace

void CudaBackend::run(const OptimizerArgs& args, StreamHandle stream) {
  require_f32("optimizer_step", args.dtype);
  const DeviceGuard on(device_);
  const bool vectors = aligned16(args.parameters, args.gradients, args.state1, args.state2);
  const std::int64_t grid = blocks(args.size, kThreads * (vectors ? 4 : 1));
  launch({"optimizer_step", "optimizer_kernel", grid, kThreads, args.size, stream}, optimizer_kernel, args,
         math::log(args.beta1), math::log(args.beta2), vectors);
}

}  // namespace gpuvae::kernels
