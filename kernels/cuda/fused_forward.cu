// A hidden layer of a fused training step: batch or previous layer, product, bias and activation, and, behind
// the encoder's last, this tile's part of the posterior's parameters.
#include "kernels/cuda/fused_forward.cuh"

namespace gpuvae::kernels {
namespace {

// The product with the batch, gathered on the way. The first column tile keeps it for later kernels.
template <Multiply kHow, class T>
__device__ __forceinline__ Piece multiply_batch(const FusedPlan& plan, const FusedForward& forward,
                                                float* memory, int first, int column0, bool vectors,
                                                FusedFacts& facts, int* samples) {
  const GatherArgs& gather = plan.args.gather;
  if (threadIdx.x == 0) facts = facts_of(plan);
  __syncthreads();
  if (threadIdx.x < T::kM && first + static_cast<int>(threadIdx.x) < facts.rows) {
    const int row = first + static_cast<int>(threadIdx.x);
    auto sample = static_cast<std::uint32_t>(facts.first + row);
    if (gather.shuffle)
      sample = shuffled_index(sample, static_cast<std::uint32_t>(gather.count), gather.seed, facts.epoch);
    samples[threadIdx.x] = static_cast<int>(sample);
    if (column0 == 0) plan.samples[row] = static_cast<std::int32_t>(sample);
  }
  __syncthreads();
  const int pixels = static_cast<int>(gather.columns), rows = facts.rows,
            out = static_cast<int>(forward.layer.out);
  const std::uint64_t epoch = facts.epoch;
  const auto batch = loaded([=, &plan](int k, int outer, int inner) {
    const int row = first + outer, column = k + inner;
    if (row >= rows || column >= pixels) return Floats<4>{};
    const Floats<4> x = gather4(plan, epoch, samples[outer], column, vectors);
    if (column0 == 0) store_x(plan, row, column, x);
    return x;
  });
  const auto weight = weight_rows(forward.layer, [=](int n) { return column0 + n < out ? column0 + n : -1; });
  return multiply_tile<kHow, T>(memory, pixels, batch, weight,
                                plan.split_of(gather.source == DType::u8, false));
}

template <Multiply kHow, bool kSmall>
__global__ void __launch_bounds__(kThreads, 2)
    fused_forward_kernel(FusedPlan plan, FusedForward forward, int column_tiles, bool vectors) {
  if (!kTensorCores) return;
  using T = ForwardTile<kSmall>;
  float* memory = dynamic_shared_floats();
  float* codes = memory + T::kFloats;
  __shared__ FusedFacts facts;
  __shared__ int samples[T::kM];
  wait_for_predecessor();
  if (forward.source == FusedSource::data && blockIdx.x == gridDim.x - 1) {
    if (threadIdx.x == 0) *plan.facts = complete_facts(plan);  // takes a while: a block of its own
    return;
  }
  const FusedPlace place = place_of<T>(blockIdx.x, column_tiles);
  const int first = place.row, column0 = place.column_tile * T::kN;
  const int in = static_cast<int>(forward.layer.in), out = static_cast<int>(forward.layer.out);
  Piece piece;
  if (forward.source == FusedSource::data) {
    piece = multiply_batch<kHow, T>(plan, forward, memory, first, column0, vectors, facts, samples);
  } else {
    if (threadIdx.x == 0) facts = *plan.facts;
    __syncthreads();
    const auto weight =
        weight_rows(forward.layer, [=](int n) { return column0 + n < out ? column0 + n : -1; });
    if (first >= facts.rows) {
      if (threadIdx.x == 0 && column0 == 0 && forward.source == FusedSource::code)
        plan.kl_partials[first / T::kM] = 0;
      return;
    }
    if (forward.source == FusedSource::code) {
      prepare_codes<T>(plan, facts, first, column0 == 0, memory, codes);
      const auto rows = decoder_rows<T>(plan, codes, first, facts.rows, column0 == 0);
      piece = multiply_tile<kHow, T>(memory, in, rows, weight, plan.split_of(false, false));
    } else {
      piece = multiply_tile<kHow, T>(memory, in, rows_of<T>(forward.in, first, facts.rows, in), weight,
                                     plan.split_of(false, false));
    }
  }
  store_piece<T>(memory, piece);
  const float scale = forward.source == FusedSource::data ? plan.x_scale : 1.0f;
  for_tile<T>(memory, [&](int row, int column, Floats<4> y) {
    const int at = column0 + column;
#pragma unroll
    for (int k = 0; k < 4; ++k)
      y[k] = at + k < out ? math::activate(plan.args.activation, scale * y[k] + forward.layer.bias[at + k])
                          : 0.0f;
    if (first + row < facts.rows && at < forward.out.stride)
      store<4>(forward.out.at + static_cast<std::int64_t>(first + row) * forward.out.stride + at, y);
    if (forward.to_stats) store_shared(memory + row * T::kSumStride + column, y);
  });
  if (!forward.to_stats) return;
  const int width = static_cast<int>(plan.args.posterior_head.out);
  float* partials = plan.stats_partials +
                    (static_cast<std::int64_t>(place.column_tile) * plan.args.gather.batch + first) * width;
  partial_product<T>(memory, partials, min(T::kM, facts.rows - first), width, min(T::kN, out - column0),
                     Factor{plan.args.posterior_head.weight + column0, out, 1});
}

}  // namespace

void launch_fused_forward(const FusedPlan& plan, const FusedForward& forward, const FusedLaunch& how) {
  const GatherArgs& gather = plan.args.gather;
  const bool bytes = gather.source == DType::u8;
  const bool vectors = gather.columns % 4 == 0 &&
                       reinterpret_cast<std::uintptr_t>(gather.data) % (bytes ? sizeof(uchar4) : 16) == 0;
  with_fused_kernel(how, [&](auto multiply, auto small) {
    using T = ForwardTile<small>;
    const std::int64_t tiles = ceil_div(forward.layer.out, T::kN);
    const std::int64_t facts = forward.source == FusedSource::data ? 1 : 0;
    static_assert(kFactorFloats<T, 2 * kFusedMostLatent> <= kForwardFloats<T>);
    launch(
        {"fused_step", "fused_forward_kernel", ceil_div(gather.batch, T::kM) * tiles + facts, kThreads,
         gather.batch * forward.layer.out, how.stream, how.programmatic, kForwardFloats<T> * sizeof(float)},
        fused_forward_kernel<multiply, small>, plan, forward, static_cast<int>(tiles), vectors);
  });
}

}  // namespace gpuvae::kernels
