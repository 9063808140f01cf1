// The backward pass of a fused training step: a launch computes the gradient of one hidden layer and, in
// other blocks, updates the weights whose old values nobody needs any more.
#include "kernels/cuda/fused_weights.cuh"
#include "kernels/math/posterior.h"

namespace gpuvae::kernels {
namespace {

template <bool kSmall>
using DataTile = Tile<kSmall ? 16 : 32, kSmall ? 16 : 32, 64, false, true>;

// d_stats of a row group from the partial sums of d_z, as the chunks of the product's first operand. The
// column tile that `writes` keeps it.
template <class T>
__device__ void prepare_d_stats(const FusedPlan& plan, const FusedFacts& facts, int first, bool writes,
                                float* memory) {
  static_assert(2 * kFusedMostLatent <= 2 * T::kK, "both chunks are in shared memory at once");
  const int latent = static_cast<int>(plan.args.posterior.latent), groups = (latent + 3) / 4;
  const std::int64_t stride = plan.args.gather.batch * latent;
  const auto place = [=](int row, int c) -> float& {
    return memory[c / T::kK * T::kBuffer + row * T::A::kStride + c % T::kK];
  };
  for (int i = static_cast<int>(threadIdx.x); i < T::kM * 2 * T::kK; i += kThreads)
    place(i / (2 * T::kK), i % (2 * T::kK)) = 0.0f;
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < T::kM * groups; i += kThreads) {
    const int row = i / groups, at = first + row, column = i % groups * 4;
    if (at >= facts.rows) continue;
    const Floats<4> epsilon = batch_epsilon(plan, facts.noise_time, at, column);
    const float* stats = plan.stats.at + static_cast<std::int64_t>(at) * plan.stats.stride;
    float* d_stats = plan.d_stats.at + static_cast<std::int64_t>(at) * plan.d_stats.stride;
    const float* partials = plan.z_partials + static_cast<std::int64_t>(at) * latent;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int l = column + k;
      if (l >= latent) break;
      const float d_z = sum_partials(partials + l, plan.z_tiles, stride);
      const auto sigma = math::posterior_sigma(plan.args.posterior.scale, stats[latent + l]);
      const float d_mean = d_z + facts.kl_weight * stats[l];
      const float d_scale = d_z * epsilon[k] * sigma.slope + facts.kl_weight * math::kl_slope_in_s(sigma);
      place(row, l) = d_mean, place(row, latent + l) = d_scale;
      if (writes) d_stats[l] = d_mean, d_stats[latent + l] = d_scale;
    }
  }
  __syncthreads();
}

template <Multiply kHow, class T>
__device__ __forceinline__ void data_tile(const FusedPlan& plan, const FusedFacts& facts,
                                          const FusedDataJob& job, int block, float* memory) {
  const int in = static_cast<int>(job.layer.in), depth = job.outputs.columns();
  const FusedPlace place = place_of<T>(block, (in + T::kN - 1) / T::kN);
  const int first = place.row, column0 = place.column_tile * T::kN, rows = facts.rows;
  if (first >= rows) return;
  const auto weight = loaded([=](int k, int outer, int inner) {
    const int out = job.outputs.row_of(k + outer), column = column0 + inner;
    if (out < 0 || column >= in) return Floats<4>{};
    return load_row4(job.layer.weight + static_cast<std::int64_t>(out) * in, column, in);
  });
  Piece piece;
  if (job.from_z) {
    prepare_d_stats<T>(plan, facts, first, column0 == 0, memory);
    piece = multiply_tile<kHow, T>(memory, depth, InPlace{}, weight, plan.split_of(false, false));
  } else {
    const auto gradient = loaded([=](int k, int outer, int inner) {
      const int row = first + outer, column = k + inner;
      if (row >= rows || column >= depth) return Floats<4>{};
      return load<4>(job.d_out.at + static_cast<std::int64_t>(row) * job.d_out.stride + column);
    });
    piece = multiply_tile<kHow, T>(memory, depth, gradient, weight, plan.split_of(false, false));
  }
  store_piece<T>(memory, piece);
  for_tile<T>(memory, [&](int row, int column, Floats<4> d) {
    const int at = column0 + column;
    Floats<4> y{};
    const bool inside = first + row < rows && at < job.in.stride;
    if (inside) y = load<4>(job.in.at + static_cast<std::int64_t>(first + row) * job.in.stride + at);
#pragma unroll
    for (int k = 0; k < 4; ++k)
      d[k] = at + k < in ? d[k] * math::activation_derivative(plan.args.activation, y[k]) : 0.0f;
    if (inside) store<4>(job.d_in.at + static_cast<std::int64_t>(first + row) * job.d_in.stride + at, d);
    if (job.to_z) store_shared(memory + row * T::kSumStride + column, d);
  });
  if (!job.to_z) return;
  const int latent = static_cast<int>(plan.args.posterior.latent);
  float* partials = plan.z_partials +
                    (static_cast<std::int64_t>(place.column_tile) * plan.args.gather.batch + first) * latent;
  const float* decoder = plan.args.decoder[0].weight + static_cast<std::int64_t>(column0) * latent;
  partial_product<T>(memory, partials, min(T::kM, rows - first), latent, min(T::kN, in - column0),
                     Factor{decoder, 1, latent});
}

template <Multiply kHow, bool kSmall>
__global__ void __launch_bounds__(kThreads, 2) fused_backward_kernel(FusedPlan plan, FusedBackward backward) {
  if (!kTensorCores) return;
  float* memory = dynamic_shared_floats();
  __shared__ FusedFacts facts;
  wait_for_predecessor();
  if (threadIdx.x == 0) facts = *plan.facts;
  __syncthreads();
  int block = static_cast<int>(blockIdx.x);
  if (block < backward.data.blocks) {
    data_tile<kHow, DataTile<kSmall>>(plan, facts, backward.data, block, memory);
    return;
  }
  block -= backward.data.blocks;
  FusedWeightJob job = backward.weights[0];
  const int first_job = job.weight_blocks + job.bias_blocks;
  if (block >= first_job) block -= first_job, job = backward.weights[1];
  if (block < job.weight_blocks)
    weight_tile<kHow>(plan, facts, job, block, memory);
  else if (block < job.weight_blocks + job.bias_blocks)
    bias_columns(plan, facts, job, block - job.weight_blocks, memory);
  else
    finish_step(plan, facts);
}

}  // namespace

void launch_fused_backward(const FusedPlan& plan, const FusedBackward& backward, const FusedLaunch& how) {
  with_fused_kernel(how, [&](auto multiply, auto small) {
    using T = DataTile<small>;
    constexpr int kFloats = std::max(T::kFloats, WeightTile::kFloats);
    static_assert(kFactorFloats<T, kFusedMostLatent> <= kFloats);
    FusedBackward work = backward;
    const std::int64_t batch = plan.args.gather.batch;
    if (work.data.layer.weight)
      work.data.blocks = static_cast<int>(ceil_div(batch, T::kM) * ceil_div(work.data.layer.in, T::kN));
    std::int64_t blocks = work.data.blocks + (work.finish ? 1 : 0);
    for (FusedWeightJob& job : work.weights) {
      if (!job.layer.weight) continue;
      const std::int64_t columns = job.outputs.columns();
      job.weight_blocks =
          static_cast<int>(ceil_div(columns, WeightTile::kM) * ceil_div(job.layer.in, WeightTile::kN));
      job.bias_blocks = static_cast<int>(ceil_div(columns, kBiasColumns));
      blocks += job.weight_blocks + job.bias_blocks;
    }
    launch({"fused_step", "fused_backward_kernel", blocks, kThreads, blocks, how.stream, how.programmatic,
            kFloats * sizeof(float)},
           fused_backward_kernel<multiply, small>, plan, work);
  });
}

}  // namespace gpuvae::kernels
