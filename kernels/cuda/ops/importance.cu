// Combines the log weights of several draws per row into an objective, with its gradient, in one kernel.
#include "gpuvae/device/scalar.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/importance.h"

namespace gpuvae::kernels {
namespace {

// The sums of weights exp(log w) and of their squares, relative to exp(shift).
struct WeightSums {
  float shift;
  double sum, squares;

  __device__ void add(const WeightSums& other) {
    if (other.sum == 0) return;
    if (sum == 0) {
      *this = other;
      return;
    }
    const float higher = fmaxf(shift, other.shift);
    const double own = math::exp(shift - higher), others = math::exp(other.shift - higher);
    *this = {higher, sum * own + other.sum * others, squares * own * own + other.squares * others * others};
  }
};

// The draws of a row, which one warp processes.
struct RowDraws {
  const float* log_likelihood;
  const float* log_ratio;  // or null
  float kl_weight;

  __device__ float ratio(std::int64_t i) const { return log_ratio ? log_ratio[i] : 0.0f; }
  __device__ float log_weight(std::int64_t i) const { return log_likelihood[i] + kl_weight * ratio(i); }
};

// Sums over the draws begin, ..., end - 1.
struct GroupSums {
  WeightSums weights;
  double log_weights, log_likelihood, log_ratio;
};
__device__ GroupSums group_sums(const RowDraws& draws, std::int64_t begin, std::int64_t end) {
  const float infinity = __int_as_float(0x7f800000);
  const std::int64_t first = begin + threadIdx.x % 32;
  float largest = -infinity;
  for (std::int64_t i = first; i < end; i += 32) largest = fmaxf(largest, draws.log_weight(i));
  largest = warp_max(largest);
  // fmaxf ignores NaN, but the sum includes it.
  GroupSums sums{{fabsf(largest) == infinity ? 0.0f : largest, 0, 0}, 0, 0, 0};
  for (std::int64_t i = first; i < end; i += 32) {
    const float log_weight = draws.log_weight(i), w = math::exp(log_weight - sums.weights.shift);
    sums.weights.sum += w;
    sums.weights.squares += w * w;
    sums.log_weights += log_weight;
    sums.log_likelihood += draws.log_likelihood[i];
    sums.log_ratio += draws.ratio(i);
  }
  sums.weights.sum = warp_sum(sums.weights.sum);
  sums.weights.squares = warp_sum(sums.weights.squares);
  sums.log_weights = warp_sum(sums.log_weights);
  sums.log_likelihood = warp_sum(sums.log_likelihood);
  sums.log_ratio = warp_sum(sums.log_ratio);
  return sums;
}

__device__ void write_gradients(const ImportanceArgs& args, const RowDraws& draws, const WeightSums& group,
                                std::int64_t row, std::int64_t begin) {
  if (!args.d_log_likelihood) return;
  const std::int64_t count = args.groups * args.samples;
  float* d_log_likelihood = static_cast<float*>(args.d_log_likelihood) + row * count;
  float* d_log_ratio = args.d_log_ratio ? static_cast<float*>(args.d_log_ratio) + row * count : nullptr;
  const float elbo_part = static_cast<float>(args.elbo_share / static_cast<double>(count));
  const float iwae_part =
      group.sum == 0
          ? 0.0f
          : static_cast<float>((1 - args.elbo_share) / (static_cast<double>(args.groups) * group.sum));
  const float kl_weight = draws.kl_weight == 0.0f ? static_cast<float>(kTinyKlWeight) : draws.kl_weight;
  const float weight = static_cast<float>(args.weight);
  for (std::int64_t i = begin + threadIdx.x % 32; i < begin + args.samples; i += 32) {
    float coefficient = elbo_part;
    if (iwae_part != 0.0f) {
      const float share = math::exp(draws.log_weight(i) - group.shift);
      coefficient += share < static_cast<float>(math::kLeastShare) ? 0.0f : iwae_part * share;
    }
    d_log_likelihood[i] = -weight * coefficient;
    if (d_log_ratio) d_log_ratio[i] = kl_weight * (-weight * coefficient);
  }
}

// Computes a row and writes its terms: the bound, and the means of log_likelihood and log_ratio.
__device__ void importance_row(const ImportanceArgs& args, float kl_weight, std::int64_t row) {
  const std::int64_t count = args.groups * args.samples;
  const RowDraws draws{static_cast<const float*>(args.log_likelihood) + row * count,
                       args.log_ratio ? static_cast<const float*>(args.log_ratio) + row * count : nullptr,
                       kl_weight};
  WeightSums all{0, 0, 0};
  double log_means = 0, log_weights = 0, log_likelihood = 0, log_ratio = 0;
  for (std::int64_t begin = 0; begin < count; begin += args.samples) {
    const GroupSums group = group_sums(draws, begin, begin + args.samples);
    log_means += group.weights.shift + math::log(static_cast<float>(group.weights.sum));
    log_weights += group.log_weights;
    log_likelihood += group.log_likelihood;
    log_ratio += group.log_ratio;
    all.add(group.weights);
    write_gradients(args, draws, group.weights, row, begin);
  }
  if (threadIdx.x % 32 != 0) return;
  const double of_draws = 1 / static_cast<double>(count), share = args.elbo_share;
  double bound = 0;
  if (share != 0) bound += share * (log_weights * of_draws);
  if (share != 1)
    bound += (1 - share) *
             (log_means / static_cast<double>(args.groups) - math::log(static_cast<float>(args.samples)));
  static_cast<float*>(args.bounds)[row] = static_cast<float>(bound);
  static_cast<float*>(args.effective_samples)[row] =
      all.sum == 0 ? 0.0f : static_cast<float>(all.sum / all.squares * all.sum);
  double* terms = args.row_terms + 3 * row;
  terms[0] = bound;
  terms[1] = log_likelihood * of_draws;
  terms[2] = log_ratio * of_draws;
}

// One warp per row. The last block to finish sums the rows.
__global__ void __launch_bounds__(kThreads) importance_kernel(ImportanceArgs args, Scratch scratch) {
  const float* device_kl_weight = static_cast<const float*>(args.device_kl_weight);
  const float kl_weight = static_cast<float>(args.kl_weight) * (device_kl_weight ? *device_kl_weight : 1.0f);
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32)
    importance_row(args, kl_weight, row);
  if (!last_block(scratch.counters, gridDim.x)) return;
  double sums[3] = {};
  for (std::int64_t row = threadIdx.x; row < args.rows; row += kThreads)
#pragma unroll
    for (int i = 0; i < 3; ++i) sums[i] += __ldcg(args.row_terms + 3 * row + i);
#pragma unroll
  for (int i = 0; i < 3; ++i) sums[i] = block_sum(sums[i]);
  if (threadIdx.x != 0) return;
  *static_cast<float*>(args.loss) = static_cast<float>(-args.weight * sums[0]);
  *static_cast<float*>(args.reconstruction) = static_cast<float>(-args.weight * sums[1]);
  *static_cast<float*>(args.kl) = static_cast<float>(-args.weight * sums[2]);
}

}  // namespace

void CudaBackend::run(const ImportanceArgs& args, StreamHandle stream) {
  require_f32("importance", args.dtype);
  const DeviceGuard on(device_);
  launch({"importance", "importance_kernel", blocks(args.rows, kThreads / 32, 1), kThreads,
          args.rows * args.groups * args.samples, stream},
         importance_kernel, args, scratch(stream));
}

}  // namespace gpuvae::kernels
