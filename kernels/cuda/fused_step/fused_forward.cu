// The forward pass of a hidden layer in a fused training step: its input (the batch, the previous layer or
// the code z), the product, the bias and the activation. In the encoder's last layer, each block also
// computes its tile's contribution to the posterior's parameters.
#include "kernels/cuda/fused_step/fused_forward.cuh"

namespace gpuvae::kernels {
namespace {

// Finds the sample of each row of a tile, or -1 for rows outside the batch. Blocks of the first column tile
// (`writes`) store the samples in the workspace.
template <class T>
__device__ __forceinline__ void choose_samples(const FusedPlan& plan, int first, bool writes, int* samples,
                                               StepScalars& scalars) {
  const GatherArgs& gather = plan.args.gather;
  const int thread = static_cast<int>(threadIdx.x), row = first + thread;
  if (thread < T::kM) {
    const StepScalars mine = scalars_of(plan);
    auto sample = static_cast<std::uint32_t>(mine.first + row);
    if (row < mine.rows && gather.shuffle)
      sample = shuffled_index(sample, static_cast<std::uint32_t>(gather.count), gather.seed, mine.epoch);
    samples[thread] = row < mine.rows ? static_cast<int>(sample) : -1;
    if (writes && row < plan.batch()) plan.samples[row] = max(samples[thread], 0);
    if (thread == 0) scalars = mine;
  }
  __syncthreads();
}

// Applies bias and activation to this thread's elements of the tile's product, which is multiplied by
// `scale`.
template <class T>
__device__ __forceinline__ void finish_layer(const FusedPlan& plan, const FusedForward& forward,
                                             bool to_posterior, const StepScalars& scalars,
                                             const FusedPlace& place, float scale, float bias,
                                             float* memory) {
  const int in_tile = element_column(T::kN), column = place.column_tile * T::kN + in_tile;
#pragma unroll 1
  for (int i = 0; i < T::kElements; ++i) {
    const int row = element_row(T::kN, i), at = place.row + row;
    float y = 0.0f;
    if (column < forward.layer.out && at < scalars.rows)
      y = math::activate<math::SlopeFromOutput>(plan.args.activation,
                                                scale * tile_sum<T>(memory, row, in_tile) + bias);
    if (at < plan.batch() && column < forward.out.stride)
      forward.out.at[static_cast<std::int64_t>(at) * forward.out.stride + column] = y;
    if (to_posterior) memory[row * T::kSumStride + in_tile] = y;
  }
}

// The tile of a hidden layer, which prefetches as many chunks as the registers allow.
template <bool kSmall, FusedSource kSource>
using HiddenTile = ForwardTile<kSmall, kSmall && kSource == FusedSource::data ? kFarAhead : 1>;

template <Multiply kHow, bool kSmall, FusedSource kSource>
__global__ void __launch_bounds__(kThreads, 2)
    fused_forward_kernel(FusedPlan plan, FusedForward forward, int column_tiles, bool vectors) {
  if (!kTensorCores) return;
  using T = HiddenTile<kSmall, kSource>;
  float* memory = dynamic_shared_floats();
  __shared__ StepScalars scalars;
  const FusedPlace place = place_of<T>(blockIdx.x, column_tiles);
  const int first = place.row, column0 = place.column_tile * T::kN;
  const int in = static_cast<int>(forward.layer.in), out = static_cast<int>(forward.layer.out);
  const int width = static_cast<int>(plan.args.posterior_head.out);
  const int column = column0 + element_column(T::kN);
  const auto weight =
      weight_rows<T>(forward.layer, [=](int n) { return column0 + n < out ? column0 + n : -1; });
  // The preceding kernel, the last one of the previous step, updates the weights of the encoder's first
  // layer, so these are loaded after the wait. The weights of other layers were updated earlier and can be
  // loaded before it.
  if constexpr (kSource == FusedSource::data) {
    wait_for_predecessor();
    if (blockIdx.x == gridDim.x - 1) {
      if (threadIdx.x == 0) *plan.scalars = complete_scalars(plan);  // slow, so a separate block does it
      return;
    }
  }
  // The decoder's layers never feed the posterior head, so their kernels need no code for it.
  const bool to_posterior = kSource != FusedSource::code && forward.to_posterior;
  Factor factor{plan.args.posterior_head.weight + column0, out, 1, width, min(T::kN, out - column0)};
  if (to_posterior) factor.start();
  const float bias = column < out ? forward.layer.bias[column] : 0.0f;
  Piece piece;
  if constexpr (kSource == FusedSource::data) {
    __shared__ int samples[T::kM];
    const BatchRows<T> batch{plan, samples, &scalars, first, vectors, column0 == 0};
    auto product = product_of<kHow, T>(batch, weight, in);
    product.fetch_b();
    choose_samples<T>(plan, first, column0 == 0, samples, scalars);
    product.fetch_a();
    piece = product.run(memory);
  } else if constexpr (kSource == FusedSource::code) {
    float* codes = memory + T::kFloats;
    auto product =
        product_of<kHow, T>(decoder_rows<T>(plan, codes, scalars, first, column0 == 0), weight, in);
    const float posterior_bias = first_posterior_bias(plan);
    product.fetch_b();
    product.fetch_a();
    wait_for_predecessor();
    prepare_codes<T>(plan, first, column0 == 0, posterior_bias, memory, codes, scalars);
    piece = product.run(memory);
  } else {
    auto product =
        product_of<kHow, T>(rows_of<typename T::A>(forward.in, first, plan.batch(), in), weight, in);
    product.fetch_b();
    wait_for_predecessor();
    ScalarsLoad scalars_load;
    scalars_load.start(plan.scalars);
    product.fetch_a();
    scalars_load.finish(scalars);
    piece = product.run(memory);
  }
  store_piece<T>(memory, piece);
  const float scale = kSource == FusedSource::data ? plan.x_scale : 1.0f;
  finish_layer<T>(plan, forward, to_posterior, scalars, place, scale, bias, memory);
  if (!to_posterior) return;
  float* partials = plan.posterior_partials +
                    (static_cast<std::int64_t>(place.column_tile) * plan.args.gather.batch + first) * width;
  partial_product<T>(memory, partials, min(T::kM, plan.batch() - first), factor);
}

}  // namespace

void launch_fused_forward(const FusedPlan& plan, const FusedForward& forward, const FusedLaunch& how) {
  const GatherArgs& gather = plan.args.gather;
  const bool bytes = gather.source == DType::u8;
  const bool vectors = gather.columns % 4 == 0 &&
                       reinterpret_cast<std::uintptr_t>(gather.data) % (bytes ? sizeof(uchar4) : 16) == 0;
  with_fused_kernel(how, [&](auto multiply, auto small) {
    using T = ForwardTile<small, 1>;
    const std::int64_t tiles = ceil_div(forward.layer.out, T::kN);
    const std::int64_t scalars = forward.source == FusedSource::data ? 1 : 0;
    static_assert(kFactorFloats<T, 2 * kFusedMaxLatent> <= kForwardFloats<T>);
    const auto kernel =
        forward.source == FusedSource::data   ? fused_forward_kernel<multiply, small, FusedSource::data>
        : forward.source == FusedSource::code ? fused_forward_kernel<multiply, small, FusedSource::code>
                                              : fused_forward_kernel<multiply, small, FusedSource::layer>;
    launch(
        {"fused_step", "fused_forward_kernel", ceil_div(gather.batch, T::kM) * tiles + scalars, kThreads,
         gather.batch * forward.layer.out, how.stream, how.programmatic, kForwardFloats<T> * sizeof(float)},
        kernel, plan, forward, static_cast<int>(tiles), vectors);
  });
}

}  // namespace gpuvae::kernels
