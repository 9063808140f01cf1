// Gaussian negative log likelihood with learned, clipped log variance, value and gradient in one pass.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/functions.h"
#include "kernels/math/likelihood.h"

namespace gpuvae::kernels {
namespace {

// `Aligned`: columns are a multiple of four and all pointers aligned to 16 bytes.
template <bool Aligned>
__global__ void __launch_bounds__(kThreads) gaussian_nll_kernel(GaussianNllArgs args, Scratch scratch) {
  const float* params = static_cast<const float*>(args.params);
  const float* target = static_cast<const float*>(args.target);
  float* d_params = static_cast<float*>(args.d_params);
  const float weight = static_cast<float>(args.weight);
  const float low = static_cast<float>(args.low), high = static_cast<float>(args.high);
  double sum = 0;
  for_column_groups(args.rows, args.columns, [&](ColumnGroup g) {
    const std::int64_t at_mean = 2 * g.row * args.columns + g.column, at_variance = at_mean + args.columns;
    Floats<4> mean = load_some<Aligned>(params + at_mean, g.count);
    Floats<4> variance = load_some<Aligned>(params + at_variance, g.count);
    const Floats<4> t = load_some<Aligned>(target + g.row * args.columns + g.column, g.count);
    Floats<4> values;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float m = args.sigmoid_mean ? math::sigmoid(mean[k]) : mean[k];
      const auto pixel = math::gaussian_nll(m, variance[k], t[k], low, high);
      values[k] = k < g.count ? pixel.value : 0.0f;
      const float slope = args.sigmoid_mean ? math::Sigmoid::slope(m) : 1.0f;
      mean[k] = weight * pixel.mean_slope * slope;
      variance[k] = weight * pixel.log_variance_slope;
    }
    sum += sum_of(values);
    if (!d_params) return;
    store_some<Aligned>(d_params + at_mean, mean, g.count);
    store_some<Aligned>(d_params + at_variance, variance, g.count);
  });
  grid_sum(static_cast<float>(sum), scratch,
           [&](double total) { *static_cast<float*>(args.loss) = static_cast<float>(args.weight * total); });
}

}  // namespace

void CudaBackend::gaussian_nll(const GaussianNllArgs& args, StreamHandle stream) {
  require_f32("gaussian_nll", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.columns % 4 == 0 && aligned16(args.params, args.target, args.d_params);
  const std::int64_t groups = args.rows * ceil_div(args.columns, 4);
  const std::int64_t grid = std::max<std::int64_t>(1, blocks(groups, kThreads));
  launch({"gaussian_nll", "gaussian_nll_kernel", grid, kThreads, args.rows * args.columns, stream},
         aligned ? gaussian_nll_kernel<true> : gaussian_nll_kernel<false>, args, scratch(stream));
}

}  // namespace gpuvae::kernels
