// The backward pass of a fused training step. A launch computes the gradient of one hidden layer and, in
// other blocks, updates the weights whose old values no later kernel reads.
#include "gpuvae/device/posterior.h"
#include "kernels/cuda/fused_step/fused_weights.cuh"

namespace gpuvae::kernels {
namespace {

template <bool kSmall>
using DataTile = Tile<kSmall ? 16 : 32, kSmall ? 16 : 32, kSmall ? 256 : 128, 1, false, true>;

// Computes d_posterior_params of the rows of a tile from the partial sums of d_z. The result is the first
// operand of the product. The column tile with `writes` also stores it to global memory.
template <class T>
__device__ __forceinline__ void prepare_d_posterior(const FusedPlan& plan, const StepScalars& scalars,
                                                    int first, bool writes, float* panel) {
  static_assert(2 * kFusedMaxLatent <= T::kK, "the product has one chunk");
  constexpr int kStep = 16;  // the largest number of values of k per step of a product
  const int latent = static_cast<int>(plan.args.posterior.latent), batch = plan.batch();
  const int columns = (2 * latent + kStep - 1) / kStep * kStep;
  for (int i = static_cast<int>(threadIdx.x); i < T::kM * columns; i += kThreads)
    panel[i / columns * T::A::kStride + i % columns] = 0.0f;
  __syncthreads();
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < T::kM * latent; i += kThreads) {
    const int row = i / latent, l = i - row * latent, at = first + row;
    if (at >= batch) continue;
    const float* posterior_params =
        plan.posterior_params.at + static_cast<std::int64_t>(at) * plan.posterior_params.stride;
    int sample = plan.samples[at];
    float mean = posterior_params[l], scale = posterior_params[latent + l];
    load_here(mean);
    load_here(scale);
    const float* partials = plan.z_partials + static_cast<std::int64_t>(at) * latent + l;
    load_here(sample);
    const float d_z = sum_partials(partials, plan.z_tiles, batch * latent);
    const float epsilon = sample_epsilon(plan, scalars.noise_time, sample, l);
    const auto sigma = math::posterior_sigma(plan.args.posterior.scale, scale);
    const bool live = at < scalars.rows;
    const float d_mean = live ? d_z + scalars.kl_weight * mean : 0.0f;
    // With weight 0 the KL divergence adds nothing, even if its slope is infinite.
    const float slope = scalars.kl_weight != 0.0f ? scalars.kl_weight * math::kl_slope_in_s(sigma) : 0.0f;
    const float d_sigma = d_z * epsilon;
    const float d_scale = live ? d_sigma * math::factor_for(d_sigma, sigma.slope) + slope : 0.0f;
    panel[row * T::A::kStride + l] = d_mean;
    panel[row * T::A::kStride + latent + l] = d_scale;
    if (!writes) continue;
    float* d_posterior_params =
        plan.d_posterior_params.at + static_cast<std::int64_t>(at) * plan.d_posterior_params.stride;
    d_posterior_params[l] = d_mean;
    d_posterior_params[latent + l] = d_scale;
    if (l == 0)
      for (int c = 2 * latent; c < plan.d_posterior_params.stride; ++c) d_posterior_params[c] = 0.0f;
  }
  __syncthreads();
}

// The layer's output at this thread's elements of a tile, from which the activation's derivative is computed.
template <class T>
struct TileOutputs {
  float values[T::kElements] = {};

  __device__ __forceinline__ void start(const FusedMatrix& in, int first, int batch, int column) {
#pragma unroll
    for (int i = 0; i < T::kElements; ++i) {
      const int at = first + element_row(T::kN, i);
      if (at < batch && column < in.stride)
        values[i] = in.at[static_cast<std::int64_t>(at) * in.stride + column];
    }
  }
  // Returns the place of an element in shared memory, because a loop that is not unrolled cannot index
  // registers.
  static __device__ __forceinline__ float* place(float* memory, int number) {
    return memory + T::kFloats - T::kM * T::kN + number * kThreads + threadIdx.x;
  }
  __device__ __forceinline__ void keep(float* memory) const {
#pragma unroll
    for (int i = 0; i < T::kElements; ++i) *place(memory, i) = values[i];
  }
};

template <Multiply kHow, class T>
__device__ __forceinline__ void data_tile(const FusedPlan& plan, const ScalarsLoad& arriving,
                                          StepScalars& scalars, const FusedDataJob& job, int block,
                                          float* memory) {
  const int in = static_cast<int>(job.layer.in), depth = job.outputs.columns();
  const int batch = plan.batch(), latent = static_cast<int>(plan.args.posterior.latent);
  const FusedPlace place = place_of<T>(block, (in + T::kN - 1) / T::kN);
  const int first = place.row, column0 = place.column_tile * T::kN;
  const int column = column0 + element_column(T::kN);
  const auto weight = loaded<typename T::B>(in % 4 == 0, [=](int k, int outer, int inner) {
    const int out = job.outputs.row_of(k + outer), at = column0 + inner;
    return Span{job.layer.weight + static_cast<std::int64_t>(out) * in + at, out < 0 ? 0 : in - at};
  });
  const float* decoder = plan.args.decoder[0].weight + static_cast<std::int64_t>(column0) * latent;
  Factor factor{decoder, 1, latent, latent, min(T::kN, in - column0)};
  TileOutputs<T> outputs;
  Piece piece;
  if (job.from_z) {
    auto product = product_of<kHow, T>(InPlace{}, weight, depth);
    product.fetch_b();
    wait_for_predecessor();
    outputs.start(job.in, first, batch, column);
    arriving.finish(scalars);
    prepare_d_posterior<T>(plan, scalars, first, column0 == 0, memory);
    piece = product.run(memory);
  } else {
    auto product = product_of<kHow, T>(rows_of<typename T::A>(job.d_out, first, batch, depth), weight, depth);
    product.fetch_b();
    if (job.to_z) factor.start();
    wait_for_predecessor();
    product.fetch_a();
    outputs.start(job.in, first, batch, column);
    arriving.finish(scalars);
    piece = product.run(memory);
  }
  outputs.keep(memory);
  store_piece<T>(memory, piece);
#pragma unroll 1
  for (int i = 0; i < T::kElements; ++i) {
    const int row = element_row(T::kN, i), at = first + row;
    const float y = *TileOutputs<T>::place(memory, i);
    float d = tile_sum<T>(memory, row, column - column0);
    d = column < in && at < scalars.rows
            ? d * math::activation_derivative<math::SlopeFromOutput>(plan.args.activation, y)
            : 0.0f;
    if (at < batch && column < job.d_in.stride)
      job.d_in.at[static_cast<std::int64_t>(at) * job.d_in.stride + column] = d;
    if (job.to_z) memory[row * T::kSumStride + column - column0] = d;
  }
  if (!job.to_z) return;
  float* partials = plan.z_partials + (static_cast<std::int64_t>(place.column_tile) * batch + first) * latent;
  partial_product<T>(memory, partials, min(T::kM, batch - first), factor);
}

template <Multiply kHow, bool kSmall>
__global__ void __launch_bounds__(kThreads, 2)
    fused_backward_kernel(const __grid_constant__ FusedPlan plan,
                          const __grid_constant__ FusedBackward backward) {
  if (!kTensorCores) return;
  float* memory = dynamic_shared_floats();
  __shared__ StepScalars scalars;
  ScalarsLoad arriving;  // loaded before the wait: the step's first kernel, which wrote them, has ended
  arriving.start(plan.scalars);
  int block = static_cast<int>(blockIdx.x);
  if (block < backward.data.blocks) {
    data_tile<kHow, DataTile<kSmall>>(plan, arriving, scalars, backward.data, block, memory);
    return;
  }
  block -= backward.data.blocks;
  const int first_job = backward.weights[0].weight_blocks + backward.weights[0].bias_blocks;
  const bool second = block >= first_job;
  const FusedWeightJob& job = backward.weights[second ? 1 : 0];
  if (second) block -= first_job;
  if (block < job.weight_blocks)
    weight_tile<kHow>(plan, arriving, scalars, job, block, memory);
  else if (block < job.weight_blocks + job.bias_blocks)
    bias_columns(plan, arriving, scalars, job, block - job.weight_blocks, memory);
  else if constexpr (!kSmall)  // the launch that ends a step never has small tiles
    finish_step(plan, arriving, scalars);
}

}  // namespace

void launch_fused_backward(const FusedPlan& plan, const FusedBackward& backward, const FusedLaunch& how) {
  with_fused_kernel(how, [&](auto multiply, auto small) {
    using T = DataTile<small>;
    constexpr int kFloats = T::kFloats > WeightTile::kFloats ? T::kFloats : WeightTile::kFloats;
    static_assert(kFactorFloats<T, kFusedMaxLatent> <= kFloats);
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
