// Device functions of the forward kernels of a fused training step: the step's scalars, the gather, the code
// z, and the operands of the products.
#pragma once

#include "gpuvae/device/posterior.h"
#include "kernels/cuda/fused_step/fused_plan.cuh"
#include "kernels/cuda/ops/batch_values.cuh"
#include "kernels/cuda/ops/optimizer_scalars.cuh"

namespace gpuvae::kernels {
namespace {

template <bool kSmall, int kAhead>
using ForwardTile = Tile<kSmall ? 16 : 32, kSmall ? 16 : 32, kSmall ? 256 : 128, kAhead, false, false>;

// The number of prefetched chunks in kernels whose registers can hold more than one. On older devices, ptxas
// would spill registers.
#if __CUDA_ARCH__ >= 900
constexpr int kFarAhead = 2;
#else
constexpr int kFarAhead = 1;
#endif

constexpr int kCodeStride = kFusedMaxLatent + 4;  // stride of z in shared memory
// The floats of shared memory that a forward kernel uses.
template <class T>
constexpr int kForwardFloats = T::kFloats + T::kM* kCodeStride;

__device__ __forceinline__ StepScalars scalars_of(const FusedPlan& plan) {
  const FusedStepArgs& args = plan.args;
  StepScalars scalars;
  scalars.step = finished_steps(args.gather.clock);
  const std::uint64_t per_epoch = steps_per_epoch(args.gather.clock);
  scalars.epoch = scalars.step / per_epoch;
  scalars.noise_time = args.posterior.noise.frozen ? 0 : scalars.epoch;
  scalars.first = static_cast<std::int64_t>(scalars.step - scalars.epoch * per_epoch) * args.gather.batch;
  const std::int64_t left = args.gather.count - scalars.first;
  scalars.rows = static_cast<int>(left < args.gather.batch ? left : args.gather.batch);
  return scalars;
}

// Returns all scalars, including those that only later kernels need.
__device__ __forceinline__ StepScalars complete_scalars(const FusedPlan& plan) {
  const FusedStepArgs& args = plan.args;
  StepScalars scalars = scalars_of(plan);
  const double per_image = args.mean ? 1.0 / scalars.rows : 1.0;
  double warm = 1;
  if (args.warmup_steps > 0) warm = static_cast<double>(scalars.step) / args.warmup_steps;
  scalars.reconstruction_weight = static_cast<float>(args.reconstruction_weight * per_image);
  scalars.kl_weight = static_cast<float>(args.kl_weight * (warm < 1 ? warm : 1) * per_image);
  scalars.optimizer = optimizer_scalars(args.optimizer, plan.log_beta1, plan.log_beta2);
  return scalars;
}

// An operand of a product: rows of a weight [out, in]. row(n) returns the number of the row, or -1 for zeros.
template <class T, class Row>
__device__ __forceinline__ auto weight_rows(const FusedLayer& layer, const Row& row) {
  const float* weight = layer.weight;
  const int columns = static_cast<int>(layer.in);
  return loaded<typename T::B>(columns % 4 == 0, [=](int k, int outer, int inner) {
    const int n = row(outer), column = k + inner;
    return Span{weight + static_cast<std::int64_t>(n) * columns + column, n < 0 ? 0 : columns - column};
  });
}

// Stores four pixels of a row of the batch to the workspace. The padding is 0.
__device__ __forceinline__ void store_x(const FusedPlan& plan, int row, int column, Floats<4> x) {
  const int count = static_cast<int>(plan.args.gather.columns) - column;
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (k >= count) x[k] = 0.0f;
  const std::int64_t at = static_cast<std::int64_t>(row) * plan.x_stride + column;
  if (plan.args.gather.source == DType::u8) {
    uchar4 bytes;
    bytes.x = static_cast<unsigned char>(x[0]);
    bytes.y = static_cast<unsigned char>(x[1]);
    bytes.z = static_cast<unsigned char>(x[2]);
    bytes.w = static_cast<unsigned char>(x[3]);
    *reinterpret_cast<uchar4*>(static_cast<std::uint8_t*>(plan.x) + at) = bytes;
  } else {
    store<4>(static_cast<float*>(plan.x) + at, x);
  }
}

// The batch as an operand, gathered from the data set. Bytes stay integers from 0 to 255 unless they are
// binarized. The blocks of the column tile with `writes` also store the batch for later kernels.
template <class T>
struct BatchRows {
  using P = typename T::A;
  // The loaded data: four floats, or four bytes in the first word.
  struct Fetched {
    std::uint32_t words[P::kGroups][4];
  };
  const FusedPlan& plan;
  const int* samples;          // in shared memory; -1 for rows outside the batch
  const StepScalars* scalars;  // in shared memory
  int first;
  bool vectors, writes;

  __device__ __forceinline__ bool holds_bytes() const { return plan.args.gather.source == DType::u8; }

  __device__ __forceinline__ int count(int sample, int column) const {
    return sample < 0 ? 0 : static_cast<int>(plan.args.gather.columns) - column;
  }
  __device__ __forceinline__ std::int64_t place(int sample, int column) const {
    return static_cast<std::int64_t>(sample) * plan.args.gather.columns + column;
  }
  __device__ __forceinline__ Fetched fetch(int k) const {
    Fetched fetched{};
    if (!vectors) return fetched;
    P::for_groups([&](int i, int outer, int inner) {
      const int sample = samples[outer], column = k + inner;
      auto& words = fetched.words[i];
      if (count(sample, column) <= 0) return;
      const void* data = plan.args.gather.data;
      if (holds_bytes()) {
        words[0] = *reinterpret_cast<const std::uint32_t*>(static_cast<const std::uint8_t*>(data) +
                                                           place(sample, column));
      } else {
        const Floats<4> x = load<4>(static_cast<const float*>(data) + place(sample, column));
#pragma unroll
        for (int j = 0; j < 4; ++j) words[j] = __float_as_uint(x[j]);
      }
    });
    return fetched;
  }
  // Loads four values of a sample whose rows are not aligned. They are not prefetched, because only row
  // lengths that are not a multiple of four need this path.
  __device__ __forceinline__ Floats<4> slow_values(int sample, int column) const {
    const void* data = plan.args.gather.data;
    if (holds_bytes())
      return load_bytes<false>(static_cast<const std::uint8_t*>(data) + place(sample, column),
                               count(sample, column));
    return load_some<false>(static_cast<const float*>(data) + place(sample, column), count(sample, column));
  }
  __device__ __forceinline__ void commit(const Fetched& fetched, int k, float* panel) const {
    if (vectors)
      P::for_groups([&](int i, int outer, int inner) {
        const auto& words = fetched.words[i];
        Floats<4> x;
#pragma unroll
        for (int j = 0; j < 4; ++j)
          x[j] = holds_bytes() ? static_cast<float>(words[0] >> (8 * j) & 0xffu) : __uint_as_float(words[j]);
        store_shared(panel + outer * P::kStride + inner, x);
      });
    const GatherArgs& gather = plan.args.gather;
    if (vectors && !writes && gather.binarize == Binarize::none) return;
      // A loop over the elements that this thread has just stored keeps only one copy of the code below.
#pragma unroll 1
    for (int i = 0; i < P::kGroups; ++i) {
      const auto [outer, inner] = P::group(i);
      float* at = panel + outer * P::kStride + inner;
      Floats<4> x = vectors ? load<4>(at) : slow_values(samples[outer], k + inner);
      if (gather.binarize != Binarize::none && samples[outer] >= 0) {
#pragma unroll
        for (int j = 0; j < 4; ++j)
          if (holds_bytes()) x[j] = unit_value(x[j]);
        x = binarized(gather, x, scalars->epoch, static_cast<std::uint32_t>(samples[outer]), k + inner);
      }
      store_shared(at, x);
      if (writes && first + outer < plan.batch() && k + inner < plan.x_stride)
        store_x(plan, first + outer, k + inner, x);
    }
  }
};

// Returns the bias of the posterior parameter that this thread sums first. The kernels load it early, because
// the integer division in its index would otherwise wait for loads that are in flight.
__device__ __forceinline__ float first_posterior_bias(const FusedPlan& plan) {
  const int width = static_cast<int>(plan.args.posterior_head.out);
  return plan.args.posterior_head.bias[static_cast<int>(threadIdx.x) % width];
}

// Computes posterior_params and z of the rows of a tile from the partial sums of the encoder's tiles, and
// loads the step's scalars. z is written to shared memory (`codes`, rows of kCodeStride), and `scratch` holds
// 2 latent numbers per row. All column tiles compute the same values; the tile with `writes` stores them and
// the KL divergence for later kernels. All loads start before the first barrier.
template <class T>
__device__ __forceinline__ void prepare_codes(const FusedPlan& plan, int first, bool writes, float first_bias,
                                              float* scratch, float* codes, StepScalars& scalars) {
  __shared__ int samples[T::kM];
  const int latent = static_cast<int>(plan.args.posterior.latent), width = 2 * latent;
  const int padded = plan.z.stride, batch = plan.batch(), rows = min(T::kM, batch - first);
  const int thread = static_cast<int>(threadIdx.x);
  ScalarsLoad scalars_load;
  scalars_load.start(plan.scalars);
  const int sample = thread < rows ? plan.samples[first + thread] : 0;
  float bias = first_bias;
#pragma unroll 1
  for (int i = thread; i < rows * width; i += kThreads) {
    const float* partial = plan.posterior_partials + static_cast<std::int64_t>(first) * width + i;
    scratch[i] = sum_partials(partial, plan.posterior_tiles, batch * width) + bias;
    if (i + kThreads < rows * width) bias = plan.args.posterior_head.bias[(i + kThreads) % width];
  }
  scalars_load.finish(scalars);
  if (thread < T::kM) samples[thread] = sample;
  __syncthreads();
  float kl = 0.0f;
#pragma unroll 1
  for (int i = thread; i < T::kM * padded; i += kThreads) {
    const int row = i / padded, l = i - row * padded, at = first + row;
    float z = 0.0f, mean = 0.0f, scale = 0.0f;
    if (l < latent && at < scalars.rows) {
      mean = scratch[row * width + l];
      scale = scratch[row * width + latent + l];
      const auto sigma = math::posterior_sigma(plan.args.posterior.scale, scale);
      const float epsilon = sample_epsilon(plan, scalars.noise_time, samples[row], l);
      z = mean + epsilon * math::factor_for(epsilon, sigma.sigma);
      kl += math::kl_standard_normal(mean, sigma);
    }
    codes[row * kCodeStride + l] = z;
    if (!writes || row >= rows) continue;
    plan.z.at[static_cast<std::int64_t>(at) * padded + l] = z;
    float* posterior_params =
        plan.posterior_params.at + static_cast<std::int64_t>(at) * plan.posterior_params.stride;
    if (l < latent) {
      posterior_params[l] = mean;
      posterior_params[latent + l] = scale;
    }
    if (width + l < plan.posterior_params.stride) posterior_params[width + l] = 0.0f;
  }
  if (writes) {
    const double sum = block_sum(static_cast<double>(kl));
    if (thread == 0) plan.kl_partials[first / T::kM] = sum;
  }
  __syncthreads();
}

// The first decoder layer, for the rows of a tile, as an operand. It is computed chunk by chunk from the
// codes, which is cheaper than exchanging the layer between blocks. Each thread computes one neuron of a
// chunk for several rows and prefetches that neuron's first weights one chunk ahead. The tile with `writes`
// stores the layer for the backward pass.
template <class T>
struct DecoderRows : Floating {
  static constexpr int kRows = T::kM / (kThreads / T::kK), kAhead = 2;  // limited by registers
  struct Fetched {
    Floats<4> weights[kAhead];
    float bias;
  };
  FusedLayer layer;
  FusedMatrix out;
  Activation activation;
  const float* codes;
  const StepScalars* scalars;  // in shared memory
  int first, batch;
  bool writes;

  __device__ __forceinline__ int neuron(int k) const { return k + static_cast<int>(threadIdx.x) % T::kK; }
  // Returns the weights l, ..., l + 3 of a neuron, and 0 beyond its last weight. If the rows have a multiple
  // of two but not of four elements, the weights are loaded in pairs.
  __device__ __forceinline__ Floats<4> weights(int neuron, int l) const {
    const int latent = static_cast<int>(layer.in);
    const float* at = layer.weight + static_cast<std::int64_t>(neuron) * latent + l;
    if (latent % 4 == 0) return load<4>(at);
    if (latent % 2 != 0) return load_some<false>(at, latent - l);
    const auto* pairs = reinterpret_cast<const float2*>(at);
    const float2 low = pairs[0], high = l + 2 < latent ? pairs[1] : make_float2(0.0f, 0.0f);
    return {{low.x, low.y, high.x, high.y}};
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
  // Adds the contribution of the latent dimensions l, ..., l + 3 to this thread's column of the panel.
  __device__ __forceinline__ void add(float* at, const float* row, int l, const Floats<4>& w) const {
#pragma unroll 4
    for (int i = 0; i < kRows; ++i) {
      const Floats<4> z = load<4>(row + i * kCodeStride + l);
      float sum = at[i * T::A::kStride];
#pragma unroll
      for (int j = 0; j < 4; ++j) sum = fmaf(w[j], z[j], sum);
      at[i * T::A::kStride] = sum;
    }
  }
  __device__ __forceinline__ void commit(const Fetched& fetched, int k, float* panel) const {
    const int column = neuron(k), row = static_cast<int>(threadIdx.x) / T::kK * kRows;
    const int latent = static_cast<int>(layer.in);
    const bool inside = column < layer.out;
    const float* my_codes = codes + row * kCodeStride;
    float* at = panel + row * T::A::kStride + column - k;
#pragma unroll
    for (int i = 0; i < kRows; ++i) at[i * T::A::kStride] = fetched.bias;
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      if (4 * i < latent) add(at, my_codes, 4 * i, fetched.weights[i]);
    if (inside && 4 * kAhead < latent) {
      Floats<4> w = weights(column, 4 * kAhead);
#pragma unroll 1
      for (int l = 4 * kAhead; l < latent; l += 4) {
        const Floats<4> next = l + 4 < latent ? weights(column, l + 4) : Floats<4>{};
        add(at, my_codes, l, w);
        w = next;
      }
    }
    // A loop over the elements that this thread has just stored keeps only one copy of the activation's code.
#pragma unroll 1
    for (int i = 0; i < kRows; ++i) {
      const int y_row = first + row + i;
      float y = 0.0f;
      if (inside && y_row < scalars->rows)
        y = math::activate<math::SlopeFromOutput>(activation, at[i * T::A::kStride]);
      at[i * T::A::kStride] = y;
      if (writes && y_row < batch && column < out.stride)
        out.at[static_cast<std::int64_t>(y_row) * out.stride + column] = y;
    }
  }
};
template <class T>
__device__ __forceinline__ DecoderRows<T> decoder_rows(const FusedPlan& plan, const float* codes,
                                                       const StepScalars& scalars, int first, bool writes) {
  return {{},    plan.args.decoder[0], plan.g[0], plan.args.activation, codes, &scalars,
          first, plan.batch(),         writes};
}

}  // namespace
}  // namespace gpuvae::kernels
