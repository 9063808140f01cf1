// The weight gradients of a fused step's backward pass, and the end of the step. A tile of a gradient is used
// for the update at once and is never written to global memory.
#pragma once

#include "kernels/cuda/fused_step/fused_plan.cuh"
#include "kernels/cuda/ops/batch_values.cuh"

namespace gpuvae::kernels {
namespace {

using WeightTile = Tile<32, 64, 64, 1, true, true>;
constexpr int kBiasColumns = 32;  // per block

// Returns the optimiser's scalars for a layer that begins at `offset` in the arena.
__device__ __forceinline__ math::OptimizerScalars<float> layer_scalars(const OptimizerArgs& optimizer,
                                                                       const StepScalars& scalars,
                                                                       std::int64_t offset) {
  math::OptimizerScalars<float> result = scalars.optimizer;
  result.decay = offset < optimizer.decayed ? static_cast<float>(optimizer.decay) : 0.0f;
  return result;
}

// Updates kGroups groups of four neighbouring, aligned parameters. start() loads them, and finish() updates
// and stores them.
template <int kGroups>
struct VectorUpdate {
  const OptimizerArgs& optimizer;
  std::int64_t offsets[kGroups];  // in the arena; negative if there is none
  Floats<4> parameters[kGroups], firsts[kGroups], seconds[kGroups];

  static __device__ __forceinline__ float* at(void* array, std::int64_t offset) {
    return static_cast<float*>(array) + offset;
  }
  // Starts the loads. Only this job writes these parameters and states in this step, so the loads need not
  // wait for the preceding kernel.
  __device__ __forceinline__ void start() {
    const bool two_states = math::optimizer_states(optimizer.kind) == 2;
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      parameters[i] = firsts[i] = seconds[i] = Floats<4>{};
      if (offsets[i] < 0) continue;
      parameters[i] = load<4>(at(optimizer.parameters, offsets[i]));
      firsts[i] = load<4>(at(optimizer.state1, offsets[i]));
      if (two_states) seconds[i] = load<4>(at(optimizer.state2, offsets[i]));
    }
  }
  __device__ __forceinline__ void finish(const math::OptimizerScalars<float>& scalars,
                                         const Floats<4> (&gradients)[kGroups]) {
    const bool two_states = math::optimizer_states(optimizer.kind) == 2;
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
#pragma unroll
      for (int k = 0; k < 4; ++k)
        math::optimizer_update(optimizer.kind, scalars, gradients[i][k], parameters[i][k], firsts[i][k],
                               seconds[i][k]);
      if (offsets[i] < 0) continue;
      store<4>(at(optimizer.parameters, offsets[i]), parameters[i]);
      store<4>(at(optimizer.state1, offsets[i]), firsts[i]);
      if (two_states) store<4>(at(optimizer.state2, offsets[i]), seconds[i]);
    }
  }
};

// Updates one parameter and its states. start() loads them, and finish() updates and stores them.
struct ScalarUpdate {
  const OptimizerArgs& optimizer;
  std::int64_t offset;  // in the arena; negative if there is none
  float parameter = 0, first = 0, second = 0;

  __device__ __forceinline__ float& in(void* array) const { return static_cast<float*>(array)[offset]; }
  __device__ __forceinline__ void start() {
    if (offset < 0) return;
    parameter = in(optimizer.parameters);
    first = in(optimizer.state1);
    if (math::optimizer_states(optimizer.kind) == 2) second = in(optimizer.state2);
  }
  __device__ __forceinline__ void finish(const math::OptimizerScalars<float>& scalars, float gradient) {
    if (offset < 0) return;
    math::optimizer_update(optimizer.kind, scalars, gradient, parameter, first, second);
    in(optimizer.parameters) = parameter;
    in(optimizer.state1) = first;
    if (math::optimizer_states(optimizer.kind) == 2) in(optimizer.state2) = second;
  }
};

// Returns the offset in the arena at which a layer's parameters begin.
__device__ __forceinline__ std::int64_t arena_offset(const OptimizerArgs& optimizer, const float* begin) {
  return begin - static_cast<const float*>(optimizer.parameters);
}

// The layer's input as an operand, [rows of the batch, in]: floats or bytes.
template <class P>
struct WeightInput {
  struct Fetched {
    std::uint32_t words[P::kGroups][4];
  };
  const FusedWeightJob& job;
  int rows, in, n0;

  __device__ __forceinline__ bool holds_bytes() const { return job.bytes; }
  __device__ __forceinline__ Fetched fetch(int k) const {
    Fetched fetched;
    P::for_groups([&](int i, int outer, int inner) {
      const int row = k + outer, column = n0 + inner;
      auto& words = fetched.words[i];
      words[0] = words[1] = words[2] = words[3] = 0;
      if (row >= rows || column >= in) return;
      const std::int64_t at = static_cast<std::int64_t>(row) * job.in_stride + column;
      if (job.bytes) {
        words[0] = *reinterpret_cast<const std::uint32_t*>(static_cast<const std::uint8_t*>(job.in) + at);
      } else {
        const Floats<4> x = load<4>(static_cast<const float*>(job.in) + at);
#pragma unroll
        for (int j = 0; j < 4; ++j) words[j] = __float_as_uint(x[j]);
      }
    });
    return fetched;
  }
  __device__ __forceinline__ void commit(const Fetched& fetched, int, float* panel) const {
    P::for_groups([&](int i, int outer, int inner) {
      Floats<4> x;
#pragma unroll
      for (int j = 0; j < 4; ++j)
        x[j] = job.bytes ? static_cast<float>(fetched.words[i][0] >> (8 * j) & 0xffu)
                         : __uint_as_float(fetched.words[i][j]);
      store_shared(panel + outer * P::kStride + inner, x);
    });
  }
};

// Updates a tile whose rows are not aligned, one parameter at a time.
__device__ __forceinline__ void update_elements(const OptimizerArgs& optimizer,
                                                const math::OptimizerScalars<float>& scalars,
                                                const FusedWeightJob& job, const float* memory, int m0,
                                                int n0, std::int64_t offset) {
  using T = WeightTile;
  const int in = static_cast<int>(job.layer.in);
#pragma unroll 1
  for (int i = 0; i < T::kElements; ++i) {
    const int row = element_row(T::kN, i), column = element_column(T::kN);
    const int out = job.outputs.row_of(m0 + row), at = n0 + column;
    ScalarUpdate update{optimizer,
                        out < 0 || at >= in ? -1 : offset + static_cast<std::int64_t>(out) * in + at};
    update.start();
    update.finish(scalars, job.scale * tile_sum<T>(memory, row, column));
  }
}

// Computes a tile of the weight's gradient and updates the weight. Only d_out may come from the preceding
// kernel, so everything else is fetched before that kernel has ended.
template <Multiply kHow>
__device__ __forceinline__ void weight_tile(const FusedPlan& plan, const ScalarsLoad& arriving,
                                            StepScalars& scalars, const FusedWeightJob& job, int block,
                                            float* memory) {
  using T = WeightTile;
  constexpr int kGroups = T::kElements / 4;
  constexpr int kRows = kThreads / (T::kN / 4);  // rows between a thread's groups
  const OptimizerArgs& optimizer = plan.args.optimizer;
  const int in = static_cast<int>(job.layer.in), columns = job.outputs.columns(), rows = plan.batch();
  const int tiles = (in + T::kN - 1) / T::kN, m0 = block / tiles * T::kM, n0 = block % tiles * T::kN;
  const int row = static_cast<int>(threadIdx.x) / (T::kN / 4);
  const int column = static_cast<int>(threadIdx.x) % (T::kN / 4) * 4;
  const auto gradient = loaded<typename T::A>(true, [=](int k, int outer, int inner) {
    const int at = k + outer, column = m0 + inner;
    return Span{job.d_out.at + static_cast<std::int64_t>(at) * job.d_out.stride + column,
                at < rows ? columns - column : 0};
  });
  auto product = product_of<kHow, T>(gradient, WeightInput<typename T::B>{job, rows, in, n0}, rows);
  product.fetch_b();
  const std::int64_t offset = arena_offset(optimizer, job.layer.weight);
  const bool vectors = in % 4 == 0;
  VectorUpdate<kGroups> update{optimizer};
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
    const int out = job.outputs.row_of(m0 + row + i * kRows), at = n0 + column;
    const bool any = vectors && out >= 0 && at < in;
    update.offsets[i] = any ? offset + static_cast<std::int64_t>(out) * in + at : -1;
  }
  update.start();
  wait_for_predecessor();
  product.fetch_a();
  arriving.finish(scalars);
  store_piece<T>(memory, product.run(memory));
  const math::OptimizerScalars<float> mine = layer_scalars(optimizer, scalars, offset);
  if (!vectors) return update_elements(optimizer, mine, job, memory, m0, n0, offset);
  Floats<4> gradients[kGroups];
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
    gradients[i] = tile_sums<T>(memory, row + i * kRows, column);
#pragma unroll
    for (int k = 0; k < 4; ++k) gradients[i][k] *= job.scale;
  }
  update.finish(mine, gradients);
}

// Computes the gradient of kBiasColumns biases and updates the biases. Each warp sums every kWarps-th row,
// and each lane sums one column.
__device__ __forceinline__ void bias_columns(const FusedPlan& plan, const ScalarsLoad& arriving,
                                             StepScalars& scalars, const FusedWeightJob& job, int block,
                                             float* memory) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = block * kBiasColumns + lane;
  const bool inside = column < job.outputs.columns();
  const int out = inside && warp == 0 ? job.outputs.row_of(column) : -1;
  const std::int64_t offset = arena_offset(plan.args.optimizer, job.layer.bias);
  ScalarUpdate update{plan.args.optimizer, out < 0 ? -1 : offset + out};
  update.start();
  wait_for_predecessor();
  const int rows = max(plan.batch() - warp + kWarps - 1, 0) / kWarps;
  const float* first = job.d_out.at + static_cast<std::int64_t>(warp) * job.d_out.stride + column;
  memory[threadIdx.x] = inside ? sum_partials(first, rows, kWarps * job.d_out.stride) : 0.0f;
  arriving.finish(scalars);
  __syncthreads();
  if (warp != 0) return;
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) sum += memory[32 * i + lane];
  update.finish(layer_scalars(plan.args.optimizer, scalars, offset), sum);
}

// Returns this thread's part of the sum over blocks. Its first partial sum, `first`, is loaded already.
__device__ __forceinline__ double sum_of_blocks(const double* partials, int count, double first) {
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) + kThreads; i < count; i += kThreads) first += partials[i];
  return first;
}

// Adds the step's totals and advances the clock. Only the step's first kernel reads the clock, and it has
// ended; the later kernels read the scalars. All loads start together.
__device__ __forceinline__ void finish_step(const FusedPlan& plan, const ScalarsLoad& arriving,
                                            StepScalars& scalars) {
  wait_for_predecessor();
  const MetricsArgs& metrics = plan.args.metrics;
  const double before[2] = {metrics.totals[0], metrics.totals[1]};
  const std::uint64_t bad_step = *metrics.bad_step;
  const std::uint64_t clock = plan.args.advance ? *plan.args.advance : 0;
  const int thread = static_cast<int>(threadIdx.x);
  const double first = thread < plan.reconstruction_tiles ? plan.reconstruction_partials[thread] : 0.0;
  const double first_kl = thread < plan.kl_tiles ? plan.kl_partials[thread] : 0.0;
  const double my_reconstruction =
      sum_of_blocks(plan.reconstruction_partials, plan.reconstruction_tiles, first);
  const double my_kl = sum_of_blocks(plan.kl_partials, plan.kl_tiles, first_kl);
  arriving.finish(scalars);
  const double reconstruction = block_sum(my_reconstruction), kl = block_sum(my_kl);
  if (threadIdx.x != 0) return;
  const double terms[2] = {metrics.weights[0] * reconstruction, metrics.weights[1] * kl};
  metrics.totals[0] = before[0] + terms[0];
  metrics.totals[1] = before[1] + terms[1];
  if (!std::isfinite(terms[0] + terms[1]) && bad_step == 0) *metrics.bad_step = scalars.step + 1;
  if (plan.args.advance) *plan.args.advance = clock + 1;
}

}  // namespace
}  // namespace gpuvae::kernels
