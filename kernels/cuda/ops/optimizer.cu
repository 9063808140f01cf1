// One optimiser update of a whole arena of parameters, and of the average of the weights.
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

__global__ void __launch_bounds__(kThreads) average_kernel(AverageArgs args, double log_decay, bool vectors) {
  if (args.gradient_scale && std::isnan(*static_cast<const float*>(args.gradient_scale))) return;
  __shared__ float shared[2];
  if (threadIdx.x == 0) {
    const double keep = math::average_keep(args.form, args.decay, log_decay, finished_steps(args.clock));
    shared[0] = static_cast<float>(keep);
    shared[1] = static_cast<float>(1 - keep);
  }
  __syncthreads();
  const float keep = shared[0], rest = shared[1];
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    float* average = static_cast<float*>(args.average) + i;
    const Floats<kWidth> p = load<kWidth>(static_cast<const float*>(args.parameters) + i);
    Floats<kWidth> a = load<kWidth>(average);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) a[k] = keep * a[k] + rest * p[k];
    store(average, a);
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

void CudaBackend::run(const AverageArgs& args, StreamHandle stream) {
  require_f32("average", args.dtype);
  const DeviceGuard on(device_);
  const bool vectors = aligned16(args.parameters, args.average);
  const std::int64_t grid = blocks(args.size, kThreads * (vectors ? 4 : 1));
  launch({"average", "average_kernel", grid, kThreads, args.size, stream}, average_kernel, args,
         math::log(args.decay), vectors);
}

}  // namespace gpuvae::kernels
