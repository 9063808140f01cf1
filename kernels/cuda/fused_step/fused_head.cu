// The decoder's output in a fused training step: the parameters of p(x | z), the reconstruction term and its
// gradient. If the decoder has one hidden layer, each block computes this layer from the code.
#include "kernels/cuda/fused_step/fused_forward.cuh"
#include "kernels/math/scalar_likelihood.h"

namespace gpuvae::kernels {
namespace {

__host__ __device__ inline bool is_gaussian(const FusedStepArgs& args) {
  return args.likelihood.kind == LikelihoodKind::gaussian;
}

// A tile's columns are neighbouring pixels. If an element has two parameters, the first half of the columns
// holds the first parameters and the second half the second ones.
template <class T>
struct HeadTile {
  const FusedPlan& plan;
  int first, pixel0;
  bool gaussian = is_gaussian(plan.args);  // otherwise Bernoulli
  int columns = gaussian ? T::kN / 2 : T::kN;
  int pixels = static_cast<int>(plan.args.gather.columns);
  int pixel = pixel0 + element_column(columns);  // pixel of this thread
  float bias = 0, second_bias = 0;
  std::uint32_t targets[T::kElements] = {};  // as loaded: one byte or float each

  __device__ __forceinline__ bool inside(int number) const {
    const int row = element_row(columns, number);
    return row < T::kM && first + row < plan.batch() && pixel < plan.x_stride;
  }
  __device__ __forceinline__ void load_biases() {
    if (pixel >= pixels) return;
    bias = plan.args.output.bias[pixel];
    if (gaussian) second_bias = plan.args.output.bias[pixels + pixel];
  }
  __device__ __forceinline__ void load_targets() {
#pragma unroll
    for (int i = 0; i < T::kElements; ++i) {
      if (!inside(i)) continue;
      const std::int64_t at =
          static_cast<std::int64_t>(first + element_row(columns, i)) * plan.x_stride + pixel;
      targets[i] = plan.args.gather.source == DType::u8
                       ? static_cast<const std::uint8_t*>(plan.x)[at]
                       : __float_as_uint(static_cast<const float*>(plan.x)[at]);
    }
  }
  // Returns the place of one of this thread's targets in shared memory, because a loop that is not unrolled
  // cannot index registers.
  static __device__ __forceinline__ float* target_place(float* memory, int number) {
    return memory + T::kFloats - T::kM * T::kN + number * kThreads + threadIdx.x;
  }
  __device__ __forceinline__ void keep_targets(float* memory) const {
    const bool bytes = plan.args.gather.source == DType::u8;
    const bool pixels_255 = plan.args.gather.binarize == Binarize::none;
#pragma unroll
    for (int i = 0; i < T::kElements; ++i) {
      const float byte = static_cast<float>(targets[i]);
      *target_place(memory, i) = !bytes ? __uint_as_float(targets[i]) : pixels_255 ? unit_value(byte) : byte;
    }
  }

  __device__ __forceinline__ void store_gradient(int row, int column, float d) const {
    plan.d_params.at[static_cast<std::int64_t>(row) * plan.d_params.stride + column] = d;
  }
  // Returns the loss of one element and stores its gradient. `live` is false for padding and for rows outside
  // the batch.
  template <class F>
  __device__ __forceinline__ float element(const float (&params)[F::kParameters], float target, int row,
                                           bool live, float weight) const {
    const auto nll = F::at(params, target, math::settings_of<float>(plan.args.likelihood));
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k)
      store_gradient(row, k * plan.x_stride + pixel, live ? weight * nll.slopes[k] : 0.0f);
    return live ? nll.value : 0.0f;
  }
  // Returns this thread's part of the tile's loss.
  __device__ __forceinline__ float loss(float* memory, const StepScalars& scalars) const {
    float total = 0.0f;
    const int column = element_column(columns);
#pragma unroll 1
    for (int i = 0; i < T::kElements; ++i) {
      if (!inside(i)) continue;
      const int row = element_row(columns, i), at = first + row;
      const bool live = at < scalars.rows && pixel < pixels;
      const float first_param = tile_sum<T>(memory, row, column) + bias, target = *target_place(memory, i);
      const float weight = scalars.reconstruction_weight;
      if (gaussian) {
        const float second_param = tile_sum<T>(memory, row, columns + column) + second_bias;
        total += element<math::Gaussian>({first_param, second_param}, target, at, live, weight);
      } else {
        total += element<math::Bernoulli>({first_param}, target, at, live, weight);
      }
    }
    return total;
  }
};

// The tile of the output layer, which prefetches as many chunks as the registers allow.
template <bool kSmall, FusedSource kSource>
using OutputTile = ForwardTile<kSmall, kSource == FusedSource::code ? kFarAhead : 1>;

template <Multiply kHow, bool kSmall, FusedSource kSource>
__global__ void __launch_bounds__(kThreads, 2) fused_head_kernel(FusedPlan plan, int column_tiles) {
  if (!kTensorCores) return;
  using T = OutputTile<kSmall, kSource>;
  float* memory = dynamic_shared_floats();
  __shared__ StepScalars scalars;
  const FusedPlace place = place_of<T>(blockIdx.x, column_tiles);
  const bool gaussian = is_gaussian(plan.args);
  const int first = place.row, pixel0 = place.column_tile * (gaussian ? T::kN / 2 : T::kN);
  const int pixels = static_cast<int>(plan.args.gather.columns), in = static_cast<int>(plan.args.output.in);
  const auto weight = weight_rows<T>(plan.args.output, [=](int n) {
    const int part = gaussian && n >= T::kN / 2, pixel = pixel0 + n - part * (T::kN / 2);
    return pixel < pixels ? part * pixels + pixel : -1;
  });
  HeadTile<T> tile{plan, first, pixel0};
  tile.load_biases();
  Piece piece;
  if constexpr (kSource == FusedSource::code) {
    float* codes = memory + T::kFloats;
    const bool writes = place.column_tile == 0;
    auto product = product_of<kHow, T>(decoder_rows<T>(plan, codes, scalars, first, writes), weight, in);
    const float posterior_bias = first_posterior_bias(plan);
    product.fetch_b();
    product.fetch_a();
    wait_for_predecessor();
    tile.load_targets();
    prepare_codes<T>(plan, first, writes, posterior_bias, memory, codes, scalars);
    piece = product.run(memory);
  } else {
    auto product =
        product_of<kHow, T>(rows_of<typename T::A>(plan.g[1], first, plan.batch(), in), weight, in);
    product.fetch_b();
    wait_for_predecessor();
    ScalarsLoad scalars_load;
    scalars_load.start(plan.scalars);
    product.fetch_a();
    tile.load_targets();
    scalars_load.finish(scalars);
    piece = product.run(memory);
  }
  tile.keep_targets(memory);
  store_piece<T>(memory, piece);
  const double loss = block_sum(static_cast<double>(tile.loss(memory, scalars)));
  if (threadIdx.x == 0) plan.reconstruction_partials[blockIdx.x] = loss;
}

}  // namespace

void launch_fused_head(const FusedPlan& plan, FusedSource source, const FusedLaunch& how) {
  const GatherArgs& gather = plan.args.gather;
  with_fused_kernel(how, [&](auto multiply, auto small) {
    using T = ForwardTile<small, 1>;
    const std::int64_t tiles = ceil_div(gather.columns, is_gaussian(plan.args) ? T::kN / 2 : T::kN);
    const auto kernel = source == FusedSource::code ? fused_head_kernel<multiply, small, FusedSource::code>
                                                    : fused_head_kernel<multiply, small, FusedSource::layer>;
    launch({"fused_step", "fused_head_kernel", ceil_div(gather.batch, T::kM) * tiles, kThreads,
            gather.batch * plan.args.output.out, how.stream, how.programmatic,
            kForwardFloats<T> * sizeof(float)},
           kernel, plan, static_cast<int>(tiles));
  });
}

}  // namespace gpuvae::kernels
