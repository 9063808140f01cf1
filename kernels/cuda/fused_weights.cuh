// The weights' part of a fused step's backward pass: a gradient's tile goes from the registers into the
// update, never through memory. And the end of the step.
#pragma once

#include "kernels/cuda/batch_values.cuh"
#include "kernels/cuda/fused_plan.cuh"

namespace gpuvae::kernels {
namespace {

using WeightTile = Tile<32, 64, 32, true, true>;
constexpr int kBiasColumns = 32;  // of a block

// One update of `count` neighbouring parameters, all of which are decayed, or none.
__device__ __forceinline__ void update4(const OptimizerArgs& optimizer,
                                        const math::OptimizerScalars<float>& scalars, std::int64_t offset,
                                        int count, bool vectors, const Floats<4>& gradient) {
  float* p = static_cast<float*>(optimizer.parameters) + offset;
  float* s1 = static_cast<float*>(optimizer.state1) + offset;
  float* s2 = static_cast<float*>(optimizer.state2) + offset;
  const bool two_states = math::optimizer_states(optimizer.kind) == 2;
  const auto read = [&](const float* at) { return vectors ? load<4>(at) : load_some<false>(at, count); };
  Floats<4> ps = read(p), firsts = read(s1), seconds{};
  if (two_states) seconds = read(s2);
#pragma unroll
  for (int k = 0; k < 4; ++k)
    math::optimizer_update(optimizer.kind, scalars, gradient[k], ps[k], firsts[k], seconds[k]);
  const auto write = [&](float* at, const Floats<4>& x) {
    if (vectors)
      store<4>(at, x);
    else
      store_some<false>(at, x, count);
  };
  write(p, ps), write(s1, firsts);
  if (two_states) write(s2, seconds);
}

// Where a layer's parameters begin in the arena, and the scalars with its decay.
struct Updated {
  std::int64_t offset;
  math::OptimizerScalars<float> scalars;
};
__device__ __forceinline__ Updated updated(const FusedPlan& plan, const FusedFacts& facts,
                                           const float* begin) {
  const OptimizerArgs& optimizer = plan.args.optimizer;
  Updated result{begin - static_cast<const float*>(optimizer.parameters), facts.optimizer};
  result.scalars.decay = result.offset < optimizer.decayed ? static_cast<float>(optimizer.decay) : 0.0f;
  return result;
}

template <Multiply kHow>
__device__ __forceinline__ void weight_tile(const FusedPlan& plan, const FusedFacts& facts,
                                            const FusedWeightJob& job, int block, float* memory) {
  using T = WeightTile;
  const int in = static_cast<int>(job.layer.in), columns = job.outputs.columns(), rows = facts.rows;
  const int tiles = (in + T::kN - 1) / T::kN, m0 = block / tiles * T::kM, n0 = block % tiles * T::kN;
  const auto gradient = loaded([=](int k, int outer, int inner) {
    const int row = k + outer, column = m0 + inner;
    if (row >= rows || column >= columns) return Floats<4>{};
    return load<4>(job.d_out.at + static_cast<std::int64_t>(row) * job.d_out.stride + column);
  });
  const auto input = loaded([=](int k, int outer, int inner) {
    const int row = k + outer, column = n0 + inner;
    if (row >= rows || column >= in) return Floats<4>{};
    const std::int64_t at = static_cast<std::int64_t>(row) * job.in_stride + column;
    return job.bytes ? load_bytes<true>(static_cast<const std::uint8_t*>(job.in) + at, 4)
                     : load<4>(static_cast<const float*>(job.in) + at);
  });
  store_piece<T>(memory,
                 multiply_tile<kHow, T>(memory, rows, gradient, input, plan.split_of(false, job.bytes)));
  const Updated update = updated(plan, facts, job.layer.weight);
  for_tile<T>(memory, [&](int row, int column, Floats<4> sums) {
    const int out = job.outputs.row_of(m0 + row), at = n0 + column;
    if (out < 0 || at >= in) return;
#pragma unroll
    for (int k = 0; k < 4; ++k) sums[k] *= job.scale;
    update4(plan.args.optimizer, update.scalars, update.offset + static_cast<std::int64_t>(out) * in + at,
            in - at, in % 4 == 0, sums);
  });
}

// The gradient of kBiasColumns biases: each warp sums every kWarps-th row, lane by column.
__device__ __forceinline__ void bias_columns(const FusedPlan& plan, const FusedFacts& facts,
                                             const FusedWeightJob& job, int block, float* memory) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = block * kBiasColumns + lane;
  const bool inside = column < job.outputs.columns();
  float sum = 0.0f;
#pragma unroll 4
  for (int row = warp; row < facts.rows; row += kWarps)
    if (inside) sum += job.d_out.at[static_cast<std::int64_t>(row) * job.d_out.stride + column];
  memory[threadIdx.x] = sum;
  __syncthreads();
  const int out = inside ? job.outputs.row_of(column) : -1;
  if (warp != 0 || out < 0) return;
  sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) sum += memory[32 * i + lane];
  const Updated update = updated(plan, facts, job.layer.bias);
  update4(plan.args.optimizer, update.scalars, update.offset + out, 1, false, {{sum, 0.0f, 0.0f, 0.0f}});
}

__device__ __forceinline__ double sum_of_blocks(const double* partials, int count) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) sum += partials[i];
  return block_sum(sum);
}

// Totals, and the clock: nothing reads it after this kernel's predecessors, which have the facts.
__device__ __forceinline__ void finish_step(const FusedPlan& plan, const FusedFacts& facts) {
  const double reconstruction = sum_of_blocks(plan.reconstruction_partials, plan.reconstruction_tiles);
  const double kl = sum_of_blocks(plan.kl_partials, plan.kl_tiles);
  if (threadIdx.x != 0) return;
  const MetricsArgs& metrics = plan.args.metrics;
  const double terms[2] = {metrics.weights[0] * reconstruction, metrics.weights[1] * kl};
  metrics.totals[0] += terms[0];
  metrics.totals[1] += terms[1];
  if (!std::isfinite(terms[0] + terms[1]) && *metrics.bad_step == 0) *metrics.bad_step = facts.step + 1;
  if (plan.args.advance) ++*plan.args.advance;
}

}  // namespace
}  // namespace gpuvae::kernels
