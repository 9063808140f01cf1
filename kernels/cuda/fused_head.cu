// The decoder's output in a fused training step: the parameters of p(x | z), the reconstruction term and its
// gradient, with the layer before recomputed from the code where there is just one.
#include "kernels/cuda/fused_forward.cuh"
#include "kernels/math/likelihood.h"

namespace gpuvae::kernels {
namespace {

// Four pixels of the batch, as values.
__device__ __forceinline__ Floats<4> load_target(const FusedPlan& plan, int row, int column) {
  const std::int64_t at = static_cast<std::int64_t>(row) * plan.x_stride + column;
  if (plan.args.gather.source != DType::u8) return load<4>(static_cast<const float*>(plan.x) + at);
  const auto* bytes = static_cast<const std::uint8_t*>(plan.x) + at;
  return plan.args.gather.binarize == Binarize::none ? load_values<true>(bytes, 4)
                                                     : load_bytes<true>(bytes, 4);
}

// Columns column ... column + 3 of the batch's gradient, of which `count` are pixels.
__device__ __forceinline__ void store_gradient(const FusedPlan& plan, int row, int column, Floats<4> d,
                                               int count) {
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (k >= count) d[k] = 0.0f;
  store<4>(plan.d_params.at + static_cast<std::int64_t>(row) * plan.d_params.stride + column, d);
}

// Four logits' loss, and their gradient to memory.
__device__ __forceinline__ float bernoulli_pixels(const FusedPlan& plan, float weight, int row, int pixel,
                                                  const Floats<4>& sums) {
  const int count = static_cast<int>(plan.args.gather.columns) - pixel;
  const float* bias = plan.args.output.bias + pixel;
  const Floats<4> target = load_target(plan, row, pixel);
  Floats<4> d;
  float loss = 0.0f;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const auto nll = math::bce_with_logits(k < count ? sums[k] + bias[k] : 0.0f, target[k]);
    if (k < count) loss += nll.value;
    d[k] = weight * nll.slope;
  }
  store_gradient(plan, row, pixel, d, count);
  return loss;
}

// The same for four means and log variances.
__device__ __forceinline__ float gaussian_pixels(const FusedPlan& plan, float weight, int row, int pixel,
                                                 const Floats<4>& means, const Floats<4>& variances) {
  const GaussianNllArgs& head = plan.args.gaussian_head;
  const int pixels = static_cast<int>(plan.args.gather.columns), count = pixels - pixel;
  const float low = static_cast<float>(head.low), high = static_cast<float>(head.high);
  const float* bias = plan.args.output.bias + pixel;
  const Floats<4> target = load_target(plan, row, pixel);
  Floats<4> d_mean, d_variance;
  float loss = 0.0f;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const float out = k < count ? means[k] + bias[k] : 0.0f;
    const float mean = head.sigmoid_mean ? math::sigmoid(out) : out;
    const auto nll =
        math::gaussian_nll(mean, k < count ? variances[k] + bias[pixels + k] : 0.0f, target[k], low, high);
    if (k < count) loss += nll.value;
    const float slope = head.sigmoid_mean ? math::activation_derivative(Activation::sigmoid, mean) : 1.0f;
    d_mean[k] = weight * nll.mean_slope * slope;
    d_variance[k] = weight * nll.log_variance_slope;
  }
  store_gradient(plan, row, pixel, d_mean, count);
  store_gradient(plan, row, plan.x_stride + pixel, d_variance, count);
  return loss;
}

// A tile's columns are neighbouring pixels; for the Gaussian, their means, then their log variances.
template <class T>
__device__ __forceinline__ float tile_loss(const FusedPlan& plan, const FusedFacts& facts,
                                           const float* memory, int first, int pixel0) {
  const int pixels = static_cast<int>(plan.args.gather.columns);
  const int columns = plan.args.gaussian ? T::kN / 2 : T::kN, groups = columns / 4;
  float loss = 0.0f;
  for (int i = static_cast<int>(threadIdx.x); i < T::kM * groups; i += kThreads) {
    const int row = i / groups, column = i % groups * 4, pixel = pixel0 + column;
    if (first + row >= facts.rows || pixel >= pixels) continue;
    const Floats<4> sums = tile_sums<T>(memory, row, column);
    loss += plan.args.gaussian
                ? gaussian_pixels(plan, facts.reconstruction_weight, first + row, pixel, sums,
                                  tile_sums<T>(memory, row, T::kN / 2 + column))
                : bernoulli_pixels(plan, facts.reconstruction_weight, first + row, pixel, sums);
  }
  return loss;
}

template <Multiply kHow, bool kSmall>
__global__ void __launch_bounds__(kThreads, 2)
    fused_head_kernel(FusedPlan plan, FusedSource source, int column_tiles) {
  if (!kTensorCores) return;
  using T = ForwardTile<kSmall>;
  float* memory = dynamic_shared_floats();
  float* codes = memory + T::kFloats;
  __shared__ FusedFacts facts;
  wait_for_predecessor();
  if (threadIdx.x == 0) facts = *plan.facts;
  __syncthreads();
  const FusedPlace place = place_of<T>(blockIdx.x, column_tiles);
  const bool gaussian = plan.args.gaussian;
  const int first = place.row, pixel0 = place.column_tile * (gaussian ? T::kN / 2 : T::kN);
  const int pixels = static_cast<int>(plan.args.gather.columns), in = static_cast<int>(plan.args.output.in);
  if (first >= facts.rows) {
    if (threadIdx.x == 0) plan.reconstruction_partials[blockIdx.x] = 0;
    if (threadIdx.x == 0 && place.column_tile == 0 && source == FusedSource::code)
      plan.kl_partials[first / T::kM] = 0;
    return;
  }
  const auto weight = weight_rows(plan.args.output, [=](int n) {
    const int part = gaussian && n >= T::kN / 2, pixel = pixel0 + n - part * (T::kN / 2);
    return pixel < pixels ? part * pixels + pixel : -1;
  });
  Piece piece;
  if (source == FusedSource::code) {
    prepare_codes<T>(plan, facts, first, place.column_tile == 0, memory, codes);
    const auto rows = decoder_rows<T>(plan, codes, first, facts.rows, place.column_tile == 0);
    piece = multiply_tile<kHow, T>(memory, in, rows, weight, plan.split_of(false, false));
  } else {
    const FusedMatrix before = plan.g[1];
    piece = multiply_tile<kHow, T>(memory, in, rows_of<T>(before, first, facts.rows, in), weight,
                                   plan.split_of(false, false));
  }
  store_piece<T>(memory, piece);
  const double loss = block_sum(static_cast<double>(tile_loss<T>(plan, facts, memory, first, pixel0)));
  if (threadIdx.x == 0) plan.reconstruction_partials[blockIdx.x] = loss;
}

}  // namespace

void launch_fused_head(const FusedPlan& plan, FusedSource source, const FusedLaunch& how) {
  const GatherArgs& gather = plan.args.gather;
  with_fused_kernel(how, [&](auto multiply, auto small) {
    using T = ForwardTile<small>;
    const std::int64_t tiles = ceil_div(gather.columns, plan.args.gaussian ? T::kN / 2 : T::kN);
    launch({"fused_step", "fused_head_kernel", ceil_div(gather.batch, T::kM) * tiles, kThreads,
            gather.batch * plan.args.output.out, how.stream, how.programmatic,
            kForwardFloats<T> * sizeof(float)},
           fused_head_kernel<multiply, small>, plan, source, static_cast<int>(tiles));
  });
}

}  // namespace gpuvae::kernels
