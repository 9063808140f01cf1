// What the kernels of a fused training step share: where everything is, what the clock says, and small pieces
// that more than one of them uses.
#pragma once

#include "kernels/cuda/fused_product.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/noise.cuh"
#include "kernels/fused_workspace.h"
#include "kernels/math/activation.h"
#include "kernels/math/optimizer.h"

namespace gpuvae::kernels {

// Derived from the clocks by the step's first kernel. Later ones read it, so that the last may advance them.
struct FusedFacts {
  std::uint64_t step, epoch, noise_time;
  std::int64_t first;  // position of the batch in the epoch's order
  int rows;
  float reconstruction_weight, kl_weight;  // of the sums over the batch, in the gradient
  math::OptimizerScalars<float> optimizer;
};
static_assert(sizeof(FusedFacts) <= 256);

struct FusedMatrix {  // in the workspace: rows are padded with zeros to a multiple of four
  float* at = nullptr;
  int stride = 0;
};

struct FusedPlan {
  FusedStepArgs args = {};
  FusedFacts* facts = nullptr;
  std::int32_t* samples = nullptr;  // of the batch
  void* x = nullptr;                // the batch: floats, or bytes, which stand for x_scale times themselves
  float x_scale = 1;
  int x_stride = 0;  // elements
  FusedMatrix h[kFusedMostLayers] = {}, d_h[kFusedMostLayers] = {};
  FusedMatrix g[kFusedMostLayers] = {}, d_g[kFusedMostLayers] = {};
  FusedMatrix stats = {}, d_stats = {}, z = {}, d_params = {};
  float* stats_partials = nullptr;  // [tiles of the last hidden layer, batch, 2 latent]
  float* z_partials = nullptr;      // [tiles of the first decoder layer, batch, latent]
  double* reconstruction_partials = nullptr;
  double* kl_partials = nullptr;
  int stats_tiles = 0, z_tiles = 0, reconstruction_tiles = 0, kl_tiles = 0;
  double log_beta1 = 0, log_beta2 = 0;
  bool split = true;  // products of TF32 are as good as f32

  // How to multiply factors that may be bytes.
  __host__ __device__ Split split_of(bool a_is_bytes, bool b_is_bytes) const {
    return {split && !a_is_bytes, split && !b_is_bytes};
  }
};

// The launches, in their files. `small` chooses tiles of 16 x 16, for layers too small for 32 x 32 to fill
// the device.
enum class FusedSource {
  data,   // gathered from the data set
  layer,  // the previous hidden layer
  code,   // z: the first decoder layer is computed from it on the way
};
struct FusedForward {
  FusedSource source = FusedSource::data;
  FusedMatrix in = {};
  FusedLayer layer = {};
  FusedMatrix out = {};
  bool to_stats = false;  // the last hidden layer of the encoder: add to the partial sums of stats
};
struct FusedLaunch {
  Multiply how;
  bool small, programmatic;
  StreamHandle stream;
};
void launch_fused_forward(const FusedPlan& plan, const FusedForward& forward, const FusedLaunch& how);
// params, reconstruction and its gradient.
void launch_fused_head(const FusedPlan& plan, FusedSource source, const FusedLaunch& how);

// A layer's outputs in the workspace: for params of two numbers a pixel, two halves, each padded.
struct FusedOutputs {
  int half = 0, real_half = 0;  // columns of a half, and how many of them are outputs
  int halves = 1;
  __host__ __device__ int columns() const { return halves * half; }
  // Which output a column is, or -1 for padding.
  __host__ __device__ int row_of(int column) const {
    const int part = column >= half ? 1 : 0, within = column - part * half;
    return part < halves && within < real_half ? part * real_half + within : -1;
  }
};

// d_in = (d_out weight) * activation'(in), and partial sums of d_z.
struct FusedDataJob {
  FusedMatrix d_out = {};
  FusedOutputs outputs = {};
  FusedLayer layer = {};
  FusedMatrix in = {}, d_in = {};
  bool from_z = false;  // d_out is d_stats, still to be summed from the partial d_z
  bool to_z = false;    // the first decoder layer
  int blocks = 0;       // the launch fills this in
};
// The gradient of a layer, and its update: weight -= ... d_out^T in.
struct FusedWeightJob {
  FusedMatrix d_out = {};
  FusedOutputs outputs = {};
  FusedLayer layer = {};
  const void* in = nullptr;  // floats, or bytes
  int in_stride = 0;
  bool bytes = false;
  float scale = 1;                         // of `in`
  int weight_blocks = 0, bias_blocks = 0;  // the launch fills these in
};
inline constexpr int kFusedMostJobs = 2;
struct FusedBackward {
  FusedDataJob data = {};  // without a layer, if there is none; so are the weights'
  FusedWeightJob weights[kFusedMostJobs] = {};
  bool finish = false;  // the last kernel of the step: totals, and the clock
};
void launch_fused_backward(const FusedPlan& plan, const FusedBackward& backward, const FusedLaunch& how);

namespace {

// Rule: wait first, then trigger. When a kernel's wait returns, its predecessor has ended, and so that one's
// predecessor too.
__device__ __forceinline__ void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

// Columns column ... column + 3 of a row of `columns` floats, 0 past its end: one access where rows are a
// multiple of four (arenas and workspaces are aligned).
__device__ __forceinline__ Floats<4> load_row4(const float* row, int column, int columns) {
  if (columns % 4 == 0) return load<4>(row + column);
  return load_some<false>(row + column, columns - column);
}

// A 16- or 32-row tile's row group and column tile.
struct FusedPlace {
  int row, column_tile;
};
template <class T>
__device__ __forceinline__ FusedPlace place_of(unsigned block, int column_tiles) {
  return {static_cast<int>(block) / column_tiles * T::kM, static_cast<int>(block) % column_tiles};
}

// Part of the weight of a small layer: (c, n) is at[c * c_stride + n * n_stride], one of the strides being 1.
struct Factor {
  const float* at;
  int c_stride, n_stride;
};
template <class T>
constexpr int kFactorStride = T::kN + 1;
// Shared memory that partial_product uses.
template <class T, int kColumns>
constexpr int kFactorFloats = T::kSumFloats + kColumns* kFactorStride<T>;

// out[row][c] = sum over n < depth of tile[row][n] * factor(c, n), for rows below `rows`: a tile of a hidden
// layer's part in the small layer behind it. The tile is the finished one in `memory`, just written.
template <class T>
__device__ __forceinline__ void partial_product(float* memory, float* out, int rows, int columns, int depth,
                                                const Factor& factor) {
  float* factors = memory + T::kSumFloats;
  for (int i = static_cast<int>(threadIdx.x); i < columns * depth; i += kThreads) {
    const bool by_c = factor.c_stride == 1;
    const int c = by_c ? i % columns : i / depth, n = by_c ? i / columns : i % depth;
    factors[c * kFactorStride<T> + n] =
        factor.at[static_cast<std::int64_t>(c) * factor.c_stride + n * factor.n_stride];
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < rows * columns; i += kThreads) {
    const int row = i / columns, c = i - row * columns;
    float sum = 0.0f;
#pragma unroll 4
    for (int n = 0; n < depth; ++n)
      sum = fmaf(memory[row * T::kSumStride + n], factors[c * kFactorStride<T> + n], sum);
    out[i] = sum;
  }
}

// The sum of a number's partial sums, `stride` apart, in order.
__device__ __forceinline__ float sum_partials(const float* first, int count, std::int64_t stride) {
  float sum = 0.0f;
#pragma unroll 8
  for (int i = 0; i < count; ++i) sum += first[i * stride];
  return sum;
}

// noise_std * epsilon of four latent dimensions of a row of the batch.
__device__ __forceinline__ Floats<4> batch_epsilon(const FusedPlan& plan, std::uint64_t time, int row,
                                                   int column) {
  const float scale = static_cast<float>(plan.args.posterior.noise_std);
  Floats<4> epsilon{};
  if (scale == 0.0f) return epsilon;
  Noise noise = plan.args.posterior.noise;
  noise.samples = plan.samples;
  epsilon = noise_normals(noise, time, row, column);
#pragma unroll
  for (int k = 0; k < 4; ++k) epsilon[k] *= scale;
  return epsilon;
}

}  // namespace

// Calls f with the Multiply and the choice of tiles as constants.
template <class F>
void with_fused_kernel(const FusedLaunch& how, const F& f) {
  const auto with_tiles = [&](auto multiply) {
    if (how.small)
      f(multiply, std::bool_constant<true>{});
    else
      f(multiply, std::bool_constant<false>{});
  };
  switch (how.how) {
    case Multiply::ffma:
      return with_tiles(std::integral_constant<Multiply, Multiply::ffma>{});
    case Multiply::tf32:
      return with_tiles(std::integral_constant<Multiply, Multiply::tf32>{});
    case Multiply::bf16:
      return with_tiles(std::integral_constant<Multiply, Multiply::bf16>{});
  }
}

}  // namespace gpuvae::kernels
