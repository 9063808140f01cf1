// What the forward kernels of a fused training step do before and inside their products: the batch's facts,
// the gather, the code z, and the operands of the products.
#pragma once

#include "kernels/cuda/batch_values.cuh"
#include "kernels/cuda/fused_plan.cuh"
#include "kernels/cuda/optimizer_scalars.cuh"
#include "kernels/math/posterior.h"

namespace gpuvae::kernels {
namespace {

template <bool kSmall>
using ForwardTile = Tile<kSmall ? 16 : 32, kSmall ? 16 : 32, 64, false, false>;

constexpr int kCodeStride = kFusedMostLatent + 4;  // of z in shared memory
template <class T>
constexpr int kForwardFloats = T::kFloats + T::kM* kCodeStride;  // of a forward kernel's shared memory

__device__ __forceinline__ FusedFacts facts_of(const FusedPlan& plan) {
  const FusedStepArgs& args = plan.args;
  FusedFacts facts;
  facts.step = finished_steps(args.gather.clock);
  const std::uint64_t per_epoch = steps_per_epoch(args.gather.clock);
  facts.epoch = facts.step / per_epoch;
  facts.noise_time = args.posterior.noise.frozen ? 0 : facts.epoch;
  facts.first = static_cast<std::int64_t>(facts.step - facts.epoch * per_epoch) * args.gather.batch;
  const std::int64_t left = args.gather.count - facts.first;
  facts.rows = static_cast<int>(left < args.gather.batch ? left : args.gather.batch);
  return facts;
}

// With the rest, which later kernels want.
__device__ __forceinline__ FusedFacts complete_facts(const FusedPlan& plan) {
  const FusedStepArgs& args = plan.args;
  FusedFacts facts = facts_of(plan);
  const double per_image = args.mean ? 1.0 / facts.rows : 1.0;
  double warm = 1;
  if (args.warmup_steps > 0) warm = static_cast<double>(facts.step) / args.warmup_steps;
  facts.reconstruction_weight = static_cast<float>(args.reconstruction_weight * per_image);
  facts.kl_weight = static_cast<float>(args.kl_weight * (warm < 1 ? warm : 1) * per_image);
  facts.optimizer = optimizer_scalars(args.optimizer, plan.log_beta1, plan.log_beta2);
  return facts;
}

// One operand of a product: rows of the batch, of a layer before, from memory.
template <class T>
__device__ __forceinline__ auto rows_of(FusedMatrix in, int first, int rows, int columns) {
  return loaded([=](int k, int outer, int inner) {
    const int row = first + outer, column = k + inner;
    if (row >= rows || column >= columns) return Floats<4>{};
    return load<4>(in.at + static_cast<std::int64_t>(row) * in.stride + column);
  });
}

// The other: rows of a weight [out, in], which row(n) names, or -1.
template <class Row>
__device__ __forceinline__ auto weight_rows(const FusedLayer& layer, const Row& row) {
  const float* weight = layer.weight;
  const int columns = static_cast<int>(layer.in);
  return loaded([=](int k, int outer, int inner) {
    const int n = row(outer), column = k + inner;
    if (n < 0 || column >= columns) return Floats<4>{};
    return load_row4(weight + static_cast<std::int64_t>(n) * columns, column, columns);
  });
}

// Four pixels of a sample, as the batch has them: bytes as integers, unless they are binarized.
__device__ __forceinline__ Floats<4> gather4(const FusedPlan& plan, std::uint64_t epoch, int sample,
                                             int column, bool vectors) {
  const GatherArgs& gather = plan.args.gather;
  const int count = min(static_cast<int>(gather.columns) - column, 4);
  const std::int64_t at = static_cast<std::int64_t>(sample) * gather.columns + column;
  const auto id = static_cast<std::uint32_t>(sample);
  if (gather.source == DType::u8) {
    const auto* bytes = static_cast<const std::uint8_t*>(gather.data) + at;
    Floats<4> x = vectors ? load_bytes<true>(bytes, count) : load_bytes<false>(bytes, count);
    if (gather.binarize == Binarize::none) return x;
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] /= 255.0f;
    return binarized(gather, x, epoch, id, column);
  }
  const float* values = static_cast<const float*>(gather.data) + at;
  return binarized(gather, vectors ? load_values<true>(values, count) : load_values<false>(values, count),
                   epoch, id, column);
}

// Four pixels of a row of the batch, in the workspace. Padding is 0.
__device__ __forceinline__ void store_x(const FusedPlan& plan, int row, int column, Floats<4> x) {
  const int count = static_cast<int>(plan.args.gather.columns) - column;
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (k >= count) x[k] = 0.0f;
  const std::int64_t at = static_cast<std::int64_t>(row) * plan.x_stride + column;
  if (plan.args.gather.source == DType::u8) {
    uchar4 bytes;
    bytes.x = static_cast<unsigned char>(x[0]), bytes.y = static_cast<unsigned char>(x[1]);
    bytes.z = static_cast<unsigned char>(x[2]), bytes.w = static_cast<unsigned char>(x[3]);
    *reinterpret_cast<uchar4*>(static_cast<std::uint8_t*>(plan.x) + at) = bytes;
  } else {
    store<4>(static_cast<float*>(plan.x) + at, x);
  }
}

// stats and z of a row group, from the partial sums of the encoder's tiles, into shared memory (`codes`, rows
// of kCodeStride; `scratch` is 2 latent numbers a row). All column tiles compute the same; the one that
// `writes` keeps it, and the KL divergence, for the kernels to come.
template <class T>
__device__ void prepare_codes(const FusedPlan& plan, const FusedFacts& facts, int first, bool writes,
                              float* scratch, float* codes) {
  const int latent = static_cast<int>(plan.args.posterior.latent), width = 2 * latent;
  const int batch = static_cast<int>(plan.args.gather.batch), groups = (latent + 3) / 4;
  const int rows = min(T::kM, facts.rows - first);
  for (int i = static_cast<int>(threadIdx.x); i < rows * width; i += kThreads) {
    const int row = i / width, c = i - row * width;
    const float* partial = plan.stats_partials + static_cast<std::int64_t>(first) * width + i;
    const float sum = sum_partials(partial, plan.stats_tiles, static_cast<std::int64_t>(batch) * width) +
                      plan.args.posterior_head.bias[c];
    scratch[i] = sum;
    if (writes) plan.stats.at[static_cast<std::int64_t>(first + row) * plan.stats.stride + c] = sum;
  }
  __syncthreads();
  float kl = 0.0f;
  for (int i = static_cast<int>(threadIdx.x); i < T::kM * groups; i += kThreads) {
    const int row = i / groups, column = i % groups * 4;
    Floats<4> z{};
    if (row < rows) {
      const Floats<4> epsilon = batch_epsilon(plan, facts.noise_time, first + row, column);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (column + k >= latent) break;
        const float mean = scratch[row * width + column + k];
        const auto sigma =
            math::posterior_sigma(plan.args.posterior.scale, scratch[row * width + latent + column + k]);
        z[k] = mean + epsilon[k] * sigma.sigma;
        kl += math::kl_standard_normal(mean, sigma);
      }
      if (writes) store<4>(plan.z.at + static_cast<std::int64_t>(first + row) * plan.z.stride + column, z);
    }
    store_shared(codes + row * kCodeStride + column, z);
  }
  if (writes) {
    const double sum = block_sum(static_cast<double>(kl));
    if (threadIdx.x == 0) plan.kl_partials[first / T::kM] = sum;
  }
  __syncthreads();
}

// The first decoder layer of a row group, computed chunk by chunk from the codes: cheaper than to exchange it
// between blocks. The tile that `writes` keeps it for the backward pass. A thread has one neuron, whose first
// weights are fetched a chunk ahead, and some of the rows.
template <class T>
struct DecoderRows {
  static constexpr bool kIsLoaded = false;
  static constexpr int kRows = T::kM / (kThreads / T::kK), kAhead = kRows > 4 ? 2 : 4;  // as registers allow
  struct Fetched {
    Floats<4> weights[kAhead];
    float bias;
  };
  FusedLayer layer;
  FusedMatrix out;
  Activation activation;
  const float* codes;
  int first, rows;
  bool writes;

  __device__ __forceinline__ int neuron(int k) const { return k + static_cast<int>(threadIdx.x) % T::kK; }
  __device__ __forceinline__ Floats<4> weights(int neuron, int l) const {
    const int latent = static_cast<int>(layer.in);
    return load_row4(layer.weight + static_cast<std::int64_t>(neuron) * latent, l, latent);
  }
  __device__ __forceinline__ Fetched fetch(int k) const {
    Fetched fetched{};
    if (neuron(k) >= layer.out) return fetched;
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      if (4 * i < layer.in) fetched.weights[i] = weights(neuron(k), 4 * i);
    fetched.bias = layer.bias[neuron(k)];
    return fetched;
  }
  __device__ __forceinline__ void add(float (&sums)[kRows], const float* row, int l,
                                      const Floats<4>& w) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const Floats<4> z = load<4>(row + i * kCodeStride + l);
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[i] = fmaf(w[j], z[j], sums[i]);
    }
  }
  __device__ __forceinline__ void commit(const Fetched& fetched, int k, float* panel) const {
    const int column = neuron(k), row = static_cast<int>(threadIdx.x) / T::kK * kRows;
    const bool inside = column < layer.out;
    float sums[kRows] = {};
    if (inside) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i)
        if (4 * i < layer.in) add(sums, codes + row * kCodeStride, 4 * i, fetched.weights[i]);
#pragma unroll 4
      for (int l = 4 * kAhead; l < layer.in; l += 4)
        add(sums, codes + row * kCodeStride, l, weights(column, l));
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const float y = inside ? math::activate(activation, sums[i] + fetched.bias) : 0.0f;
      panel[(row + i) * T::A::kStride + column - k] = y;
      if (writes && first + row + i < rows && column < out.stride)
        out.at[static_cast<std::int64_t>(first + row + i) * out.stride + column] = y;
    }
  }
};
template <class T>
__device__ __forceinline__ DecoderRows<T> decoder_rows(const FusedPlan& plan, const float* codes, int first,
                                                       int rows, bool writes) {
  return {plan.args.decoder[0], plan.g[0], plan.args.activation, codes, first, rows, writes};
}

}  // namespace
}  // namespace gpuvae::kernels
