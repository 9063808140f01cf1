// Code that the kernels of a fused training step share: the workspace, the per-step scalars, and small
// functions that several kernels use.
#pragma once

#include "kernels/cuda/fused_step/fused_product.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/noise.cuh"
#include "kernels/fused_workspace.h"
#include "kernels/math/functions.h"
#include "kernels/math/optimizer.h"

namespace gpuvae::kernels {

// Per-step scalars that depend on the clocks. The step's first kernel writes them and the later kernels read
// them, so that the last kernel may advance the clocks.
struct StepScalars {
  std::uint64_t step, epoch, noise_time;
  std::int64_t first;                      // position of the batch in the epoch's order
  int rows;                                // of the batch; the last batch of an epoch may be smaller
  float reconstruction_weight, kl_weight;  // weights of the sums over the batch, in the gradient
  math::OptimizerScalars<float> optimizer;
};
constexpr int kScalarWords = sizeof(StepScalars) / 4;
static_assert(sizeof(StepScalars) <= 256 && sizeof(StepScalars) % 4 == 0 && kScalarWords <= kThreads);

// A matrix of the workspace with one row per row of a full batch. Rows are padded to a multiple of four
// floats. The padding and the rows that a smaller batch does not fill are zero, so that products may include
// them.
struct FusedMatrix {
  float* at = nullptr;
  int stride = 0;
};

struct FusedPlan {
  FusedStepArgs args = {};
  StepScalars* scalars = nullptr;
  std::int32_t* samples = nullptr;  // of the batch; 0 for rows outside it
  void* x = nullptr;                // the batch: floats, or bytes with the value x_scale * byte
  float x_scale = 1;
  int x_stride = 0;  // elements
  FusedMatrix h[kFusedMaxLayers] = {}, d_h[kFusedMaxLayers] = {};
  FusedMatrix g[kFusedMaxLayers] = {}, d_g[kFusedMaxLayers] = {};
  FusedMatrix posterior_params = {}, d_posterior_params = {}, z = {}, d_params = {};
  float* posterior_partials = nullptr;  // [tiles of the last hidden layer, batch, 2 latent]
  float* z_partials = nullptr;          // [tiles of the first decoder layer, batch, latent]
  double* reconstruction_partials = nullptr;
  double* kl_partials = nullptr;
  int posterior_tiles = 0, z_tiles = 0, reconstruction_tiles = 0, kl_tiles = 0;
  double log_beta1 = 0, log_beta2 = 0;

  __host__ __device__ int batch() const { return static_cast<int>(args.gather.batch); }
};

// The source of a layer's input.
enum class FusedSource {
  data,   // samples that are gathered from the data set
  layer,  // the previous hidden layer
  code,   // z, from which the first decoder layer is computed on the fly
};
struct FusedForward {
  FusedSource source = FusedSource::data;
  FusedMatrix in = {};
  FusedLayer layer = {};
  FusedMatrix out = {};
  // True for the encoder's last hidden layer, whose kernel also computes partial sums of posterior_params.
  bool to_posterior = false;
};
// `small` selects tiles of 16 x 16, for layers that are too small to fill the device with tiles of 32 x 32.
struct FusedLaunch {
  Multiply how;
  bool small, programmatic;
  StreamHandle stream;
};
void launch_fused_forward(const FusedPlan& plan, const FusedForward& forward, const FusedLaunch& how);
// Computes the parameters of p(x | z), the reconstruction term and its gradient.
void launch_fused_head(const FusedPlan& plan, FusedSource source, const FusedLaunch& how);

// The columns of a layer's outputs in the workspace. A likelihood with two parameters per feature has two
// halves, each with its padding.
struct FusedOutputs {
  int half = 0, real_half = 0;  // columns of a half, with and without padding
  int halves = 1;
  __host__ __device__ int columns() const { return halves * half; }
  // Returns the row of the layer's weight that a column belongs to, or -1 for padding.
  __host__ __device__ int row_of(int column) const {
    const bool second = column >= half;
    const int end = second ? (halves - 1) * (half + real_half) : real_half;
    return column < end ? column - (second ? half - real_half : 0) : -1;
  }
};

// Computes d_in = (d_out weight) * activation'(in), where d_out weight is a matrix product, and partial sums
// of d_z if to_z is true.
struct FusedDataJob {
  FusedMatrix d_out = {};
  FusedOutputs outputs = {};
  FusedLayer layer = {};
  FusedMatrix in = {}, d_in = {};
  bool from_z = false;  // d_out is d_posterior_params, which is computed from the partial sums of d_z
  bool to_z = false;    // d_in belongs to the first decoder layer, so d_z follows from it
  int blocks = 0;       // set by the launch
};
// Computes the gradient of a layer, d_out^T in, and updates the layer's parameters.
struct FusedWeightJob {
  FusedMatrix d_out = {};
  FusedOutputs outputs = {};
  FusedLayer layer = {};
  const void* in = nullptr;  // floats, or bytes
  int in_stride = 0;
  bool bytes = false;
  float scale = 1;                         // factor of `in`
  int weight_blocks = 0, bias_blocks = 0;  // set by the launch
};
inline constexpr int kFusedMaxJobs = 2;
struct FusedBackward {
  FusedDataJob data = {};  // no job if layer.weight is null, here and in `weights`
  FusedWeightJob weights[kFusedMaxJobs] = {};
  bool finish = false;  // true for the step's last kernel, which adds totals and advances the clock
};
void launch_fused_backward(const FusedPlan& plan, const FusedBackward& backward, const FusedLaunch& how);

namespace {

// Every kernel waits for its predecessor and only then allows its successor to start. When a kernel runs, its
// predecessor's wait has therefore returned, so all kernels before the predecessor have ended. Before its own
// wait, a kernel may read what its direct predecessor does not write, but it must not write anything.
__device__ __forceinline__ void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

// Returns the rows of a workspace matrix from `first` on as an operand of a product, whose k runs over the
// columns.
template <class P>
__device__ __forceinline__ auto rows_of(FusedMatrix in, int first, int batch, int columns) {
  return loaded<P>(true, [=](int k, int outer, int inner) {
    const int row = first + outer, column = k + inner;
    return Span{in.at + static_cast<std::int64_t>(row) * in.stride + column,
                row < batch ? columns - column : 0};
  });
}

// The position of a tile: its first row, and its index among the tiles of a row.
struct FusedPlace {
  int row, column_tile;
};
template <class T>
__device__ __forceinline__ FusedPlace place_of(unsigned block, int column_tiles) {
  return {static_cast<int>(block) / column_tiles * T::kM, static_cast<int>(block) % column_tiles};
}

// Copies the scalars to shared memory: start() loads, finish() stores, and the next barrier makes them
// visible.
struct ScalarsLoad {
  std::uint32_t word = 0;

  __device__ __forceinline__ void start(const StepScalars* from) {
    if (threadIdx.x < kScalarWords) word = reinterpret_cast<const std::uint32_t*>(from)[threadIdx.x];
  }
  __device__ __forceinline__ void finish(StepScalars& to) const {
    if (threadIdx.x < kScalarWords) reinterpret_cast<std::uint32_t*>(&to)[threadIdx.x] = word;
  }
};

// Prevents the compiler from moving a load into the branch that uses the value, where the load would start
// only after other loads have arrived.
__device__ __forceinline__ void load_here(float& value) { asm volatile("" : "+f"(value)); }
__device__ __forceinline__ void load_here(int& value) { asm volatile("" : "+r"(value)); }

// A block of the weight of a small layer (the posterior head or the first decoder layer). Element (c, n) is
// at[c * c_stride + n * n_stride], and one of the strides is 1. start() loads the first kThreads elements
// early.
struct Factor {
  const float* at;
  int c_stride, n_stride, columns, depth;
  float first = 0;

  __device__ __forceinline__ int c_of(int i) const { return c_stride == 1 ? i % columns : i / depth; }
  __device__ __forceinline__ int n_of(int i) const { return c_stride == 1 ? i / columns : i % depth; }
  __device__ __forceinline__ float element(int i) const {
    return at[static_cast<std::int64_t>(c_of(i)) * c_stride + n_of(i) * n_stride];
  }
  __device__ __forceinline__ void start() {
    const int i = static_cast<int>(threadIdx.x);
    if (i < columns * depth) first = element(i);
  }
};
template <class T>
constexpr int kFactorStride = T::kN + 1;
// The floats of shared memory that partial_product() uses.
template <class T, int kColumns>
constexpr int kFactorFloats = T::kSumFloats + kColumns* kFactorStride<T>;

// Computes out[row][c] = sum over n of tile[row][n] * factor(c, n), for row < rows. This is the contribution
// of one tile of a hidden layer, or of its gradient, to the product with a small layer. The tile is the
// finished one that was just written to `memory`.
template <class T>
__device__ __forceinline__ void partial_product(float* memory, float* out, int rows, const Factor& factor) {
  float* factors = memory + T::kSumFloats;
  const int columns = factor.columns, elements = columns * factor.depth;
  const auto place = [&](int i) -> float& {
    return factors[factor.c_of(i) * kFactorStride<T> + factor.n_of(i)];
  };
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < elements) place(thread) = factor.first;
#pragma unroll 1
  for (int i = thread + kThreads; i < elements; i += kThreads) place(i) = factor.element(i);
  __syncthreads();
  for (int i = thread; i < rows * columns; i += kThreads) {
    const int row = i / columns, c = i - row * columns;
    float sum = 0.0f;
#pragma unroll 4
    for (int n = 0; n < factor.depth; ++n)
      sum = fmaf(memory[row * T::kSumStride + n], factors[c * kFactorStride<T> + n], sum);
    out[i] = sum;
  }
}

// Returns the sum of `count` partial sums, which are `stride` apart, in order. Sixteen loads are in flight at
// a time.
__device__ __forceinline__ float sum_partials(const float* at, int count, int stride) {
  constexpr int kTogether = 16;
  float sum = 0.0f;
#pragma unroll 1
  for (; count > 0; count -= kTogether) {
    float parts[kTogether];
#pragma unroll
    for (int i = 0; i < kTogether; ++i, at += stride) parts[i] = i < count ? *at : 0.0f;
#pragma unroll
    for (int i = 0; i < kTogether; ++i) sum += parts[i];
  }
  return sum;
}

// Returns noise_std * epsilon of one latent dimension of a sample.
__device__ __forceinline__ float sample_epsilon(const FusedPlan& plan, std::uint64_t time, int sample,
                                                int column) {
  const float scale = static_cast<float>(plan.args.posterior.noise_std);
  if (scale == 0.0f) return 0.0f;
  const Noise& noise = plan.args.posterior.noise;
  const Philox4x32 bits = random_block(noise.seed, noise.purpose, time, static_cast<std::uint32_t>(sample),
                                       static_cast<std::uint32_t>(column / 4));
  const bool low = column % 4 < 2;
  const Normal2 normals = box_muller(low ? bits.v[0] : bits.v[2], low ? bits.v[1] : bits.v[3]);
  return scale * (column % 2 == 0 ? normals.first : normals.second);
}

}  // namespace

// Calls f with the Multiply and whether tiles are small, both as compile-time constants.
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
    case Multiply::split_tf32:
      return with_tiles(std::integral_constant<Multiply, Multiply::split_tf32>{});
    case Multiply::bf16:
      return with_tiles(std::integral_constant<Multiply, Multiply::bf16>{});
  }
}

}  // namespace gpuvae::kernels
