// Bernoulli and continuous Bernoulli negative log likelihood, value and gradient in one pass.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/continuous_bernoulli.h"
#include "kernels/math/likelihood.h"

namespace gpuvae::kernels {
namespace {

template <BceKind Kind>
__device__ __forceinline__ math::ValueAndSlope<float> pixel_nll(float x, float target) {
  if constexpr (Kind == BceKind::logits) {
    return math::bce_with_logits(x, target);
  } else if constexpr (Kind == BceKind::probabilities) {
    return math::bce(x, target);
  } else {
    return math::continuous_bernoulli_nll(x, target);
  }
}

template <BceKind Kind>
__global__ void __launch_bounds__(kThreads) bce_kernel(BceArgs args, bool vectors, Scratch scratch) {
  const float* x = static_cast<const float*>(args.x);
  const float* target = static_cast<const float*>(args.target);
  float* d_x = static_cast<float*>(args.d_x);
  const float weight = static_cast<float>(args.weight);
  double sum = 0;
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    const Floats<kWidth> xs = load<kWidth>(x + i), ts = load<kWidth>(target + i);
    Floats<kWidth> values, slopes;
#pragma unroll
    for (int k = 0; k < kWidth; ++k) {
      const auto pixel = pixel_nll<Kind>(xs[k], ts[k]);
      values[k] = pixel.value;
      slopes[k] = weight * pixel.slope;
    }
    sum += sum_of(values);
    if (d_x) store(d_x + i, slopes);
  });
  grid_sum(static_cast<float>(sum), scratch,
           [&](double total) { *static_cast<float*>(args.loss) = static_cast<float>(args.weight * total); });
}

auto kernel_of(BceKind kind) {
  switch (kind) {
    case BceKind::probabilities:
      return bce_kernel<BceKind::probabilities>;
    case BceKind::continuous_logits:
      return bce_kernel<BceKind::continuous_logits>;
    case BceKind::logits:
      break;
  }
  return bce_kernel<BceKind::logits>;
}

}  // namespace

void CudaBackend::run(const BceArgs& args, StreamHandle stream) {
  require_f32("bce", args.dtype);
  const DeviceGuard on(device_);
  const bool vectors = aligned16(args.x, args.target, args.d_x);
  const std::int64_t grid = std::max<std::int64_t>(1, blocks(args.size, kThreads * (vectors ? 4 : 1)));
  launch({"bce", "bce_kernel", grid, kThreads, args.size, stream}, kernel_of(args.kind), args, vectors,
         scratch(stream));
}

}  // namespace gpuvae::kernels
