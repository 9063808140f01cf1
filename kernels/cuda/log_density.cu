// The log density of each row of a target, given a row of a likelihood's parameters. A warp sums a row.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/continuous_bernoulli.h"
#include "kernels/math/likelihood.h"

namespace gpuvae::kernels {
namespace {

// The sum over up to four columns of -log density; `params` and `target` point at the first.
template <Density D, bool Aligned>
__device__ __forceinline__ float nll_of_group(const LogDensityArgs& args, const float* params,
                                              const float* target, int count) {
  const Floats<4> x = load_some<Aligned>(params, count), t = load_some<Aligned>(target, count);
  Floats<4> variance{}, values;
  if constexpr (D == Density::gaussian) variance = load_some<Aligned>(params + args.columns, count);
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if constexpr (D == Density::bernoulli) {
      values[k] = math::bce_with_logits(x[k], t[k]).value;
    } else if constexpr (D == Density::continuous_bernoulli) {
      values[k] = math::continuous_bernoulli_nll(x[k], t[k]).value;
    } else {
      const float mean = args.sigmoid_mean ? math::sigmoid(x[k]) : x[k];
      values[k] = math::gaussian_nll(mean, variance[k], t[k], static_cast<float>(args.low),
                                     static_cast<float>(args.high))
                      .value;
    }
    if (k >= count) values[k] = 0.0f;
  }
  return sum_of(values);
}

// `Aligned`: columns are a multiple of four and all pointers aligned to 16 bytes.
template <Density D, bool Aligned>
__global__ void __launch_bounds__(kThreads) log_density_kernel(LogDensityArgs args) {
  const std::int64_t lane = threadIdx.x % 32, width = (D == Density::gaussian ? 2 : 1) * args.columns;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const float* params = static_cast<const float*>(args.params) + row * width;
    const float* target = static_cast<const float*>(args.target) + row / args.repeats * args.columns;
    double sum = 0;
    for (std::int64_t column = 4 * lane; column < args.columns; column += 4 * 32) {
      const std::int64_t left = args.columns - column;
      sum += nll_of_group<D, Aligned>(args, params + column, target + column,
                                      left < 4 ? static_cast<int>(left) : 4);
    }
    sum = warp_sum(sum);
    if (lane == 0) static_cast<float*>(args.out)[row] = static_cast<float>(-sum);
  }
}

template <Density D>
auto kernel_of(bool aligned) {
  return aligned ? log_density_kernel<D, true> : log_density_kernel<D, false>;
}
auto kernel_of(Density density, bool aligned) {
  switch (density) {
    case Density::continuous_bernoulli:
      return kernel_of<Density::continuous_bernoulli>(aligned);
    case Density::gaussian:
      return kernel_of<Density::gaussian>(aligned);
    case Density::bernoulli:
      break;
  }
  return kernel_of<Density::bernoulli>(aligned);
}

}  // namespace

void CudaBackend::run(const LogDensityArgs& args, StreamHandle stream) {
  require_f32("log_density", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.columns % 4 == 0 && aligned16(args.params, args.target);
  launch({"log_density", "log_density_kernel", blocks(args.rows, kThreads / 32), kThreads,
          args.rows * args.columns, stream},
         kernel_of(args.density, aligned), args);
}

}  // namespace gpuvae::kernels
