// Negative log likelihoods with their gradient in one pass, and log densities per row with their gradient.
#include <type_traits>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/scalar_likelihood.h"

namespace gpuvae::kernels {
namespace {

using Settings = math::LikelihoodSettings<float>;

// Returns the negative log likelihoods of N neighbouring elements, which are 0 from element `count` on, and
// replaces the parameters with the derivatives.
template <class F, int N>
__device__ __forceinline__ Floats<N> nll_of(Floats<N> (&params)[F::kParameters], const Floats<N>& target,
                                            int count, const Settings& settings) {
  Floats<N> values;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    float p[F::kParameters];
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) p[k] = params[k][i];
    const auto nll = math::observed_nll<F>(p, target[i], settings);
    values[i] = i < count ? nll.value : 0.0f;
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) params[k][i] = nll.slopes[k];
  }
  return values;
}

template <int N>
__device__ __forceinline__ Floats<N> scaled(float weight, Floats<N> x) {
#pragma unroll
  for (int i = 0; i < N; ++i) x[i] *= weight;
  return x;
}

// `Aligned` means that all pointers are aligned to 16 bytes and that, if an element has several parameters,
// the number of columns is a multiple of four.
template <class F, bool Aligned>
__global__ void __launch_bounds__(kThreads) likelihood_kernel(LikelihoodArgs args, Scratch scratch) {
  const float* params = static_cast<const float*>(args.params);
  const float* target = static_cast<const float*>(args.target);
  float* d_params = static_cast<float*>(args.d_params);
  const float weight = static_cast<float>(args.weight);
  const auto settings = math::settings_of<float>(args.likelihood);
  double sum = 0;
  if constexpr (F::kParameters == 1) {  // the elements of all rows are contiguous
    for_elements(args.rows * args.columns, Aligned, [&](auto width, std::int64_t i) {
      constexpr int kWidth = decltype(width)::value;
      Floats<kWidth> p[1] = {load<kWidth>(params + i)};
      sum += sum_of(nll_of<F>(p, load<kWidth>(target + i), kWidth, settings));
      if (d_params) store(d_params + i, scaled(weight, p[0]));
    });
  } else {
    for_column_groups(args.rows, args.columns, [&](ColumnGroup g) {
      const std::int64_t at = F::kParameters * g.row * args.columns + g.column;
      Floats<4> p[F::kParameters];
#pragma unroll
      for (int k = 0; k < F::kParameters; ++k)
        p[k] = load_some<Aligned>(params + at + k * args.columns, g.count);
      const auto t = load_some<Aligned>(target + g.row * args.columns + g.column, g.count);
      sum += sum_of(nll_of<F>(p, t, g.count, settings));
      if (!d_params) return;
#pragma unroll
      for (int k = 0; k < F::kParameters; ++k)
        store_some<Aligned>(d_params + at + k * args.columns, scaled(weight, p[k]), g.count);
    });
  }
  grid_sum(static_cast<float>(sum), scratch,
           [&](double total) { *static_cast<float*>(args.loss) = static_cast<float>(args.weight * total); });
}

// Each warp sums a row. `Aligned` means that columns are a multiple of four and all pointers are aligned to
// 16 bytes.
template <class F, bool Aligned>
__global__ void __launch_bounds__(kThreads) log_density_kernel(LogDensityArgs args) {
  const auto settings = math::settings_of<float>(args.likelihood);
  const std::int64_t lane = threadIdx.x % 32, width = F::kParameters * args.columns;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const float* params = static_cast<const float*>(args.params) + row * width;
    const float* target = static_cast<const float*>(args.target) + row / args.repeats * args.columns;
    double sum = 0;
    for (std::int64_t column = 4 * lane; column < args.columns; column += 4 * 32) {
      const std::int64_t left = args.columns - column;
      const int count = left < 4 ? static_cast<int>(left) : 4;
      Floats<4> p[F::kParameters];
#pragma unroll
      for (int k = 0; k < F::kParameters; ++k)
        p[k] = load_some<Aligned>(params + k * args.columns + column, count);
      sum += sum_of(nll_of<F>(p, load_some<Aligned>(target + column, count), count, settings));
    }
    sum = warp_sum(sum);
    if (lane == 0) static_cast<float*>(args.out)[row] = static_cast<float>(-sum);
  }
}

// Each warp computes a row. See log_density_kernel for `Aligned`.
template <class F, bool Aligned>
__global__ void __launch_bounds__(kThreads) log_density_backward_kernel(LogDensityBackwardArgs args) {
  const LogDensityArgs& forward = args.forward;
  const auto settings = math::settings_of<float>(forward.likelihood);
  const std::int64_t lane = threadIdx.x % 32, columns = forward.columns, width = F::kParameters * columns;
  for (std::int64_t row = grid_thread() / 32; row < forward.rows; row += grid_threads() / 32) {
    const float* params = static_cast<const float*>(forward.params) + row * width;
    const float* target = static_cast<const float*>(forward.target) + row / forward.repeats * columns;
    float* d_params = static_cast<float*>(args.d_params) + row * width;
    const float weight = -static_cast<const float*>(args.d_rows)[row];
    for (std::int64_t column = 4 * lane; column < columns; column += 4 * 32) {
      const std::int64_t left = columns - column;
      const int count = left < 4 ? static_cast<int>(left) : 4;
      Floats<4> p[F::kParameters] = {};
      if (weight != 0.0f) {
#pragma unroll
        for (int k = 0; k < F::kParameters; ++k)
          p[k] = load_some<Aligned>(params + k * columns + column, count);
        nll_of<F>(p, load_some<Aligned>(target + column, count), count, settings);
#pragma unroll
        for (int k = 0; k < F::kParameters; ++k) p[k] = scaled(weight, p[k]);
      }
#pragma unroll
      for (int k = 0; k < F::kParameters; ++k)
        store_some<Aligned>(d_params + k * columns + column, p[k], count);
    }
  }
}

// The likelihoods whose formulas cost more than the memory they read. Their kernels have one element per
// thread, which keeps the number of registers low.
template <class F>
concept Costly = requires {
  F::kCostly;
};

// Returns the negative log likelihood of an element, whose parameters are `stride` floats apart, and writes
// its derivatives to `slopes`.
template <class F>
__device__ __forceinline__ float costly_nll(const float* params, std::int64_t stride, float target,
                                            const Settings& settings, float (&slopes)[F::kParameters]) {
  float p[F::kParameters];
#pragma unroll
  for (int k = 0; k < F::kParameters; ++k) p[k] = params[k * stride];
  const auto nll = math::observed_nll<F>(p, target, settings);
#pragma unroll
  for (int k = 0; k < F::kParameters; ++k) slopes[k] = nll.slopes[k];
  return nll.value;
}

template <class F>
__global__ void __launch_bounds__(kThreads) costly_likelihood_kernel(LikelihoodArgs args, Scratch scratch) {
  const float* target = static_cast<const float*>(args.target);
  float* d_params = static_cast<float*>(args.d_params);
  const float weight = static_cast<float>(args.weight);
  const auto settings = math::settings_of<float>(args.likelihood);
  double sum = 0;
  for (std::int64_t i = grid_thread(); i < args.rows * args.columns; i += grid_threads()) {
    const std::int64_t row = i / args.columns, at = i + (F::kParameters - 1) * row * args.columns;
    float slopes[F::kParameters];
    sum +=
        costly_nll<F>(static_cast<const float*>(args.params) + at, args.columns, target[i], settings, slopes);
    if (!d_params) continue;
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) d_params[at + k * args.columns] = weight * slopes[k];
  }
  grid_sum(static_cast<float>(sum), scratch,
           [&](double total) { *static_cast<float*>(args.loss) = static_cast<float>(args.weight * total); });
}

// Each warp sums a row.
template <class F>
__global__ void __launch_bounds__(kThreads) costly_log_density_kernel(LogDensityArgs args) {
  const auto settings = math::settings_of<float>(args.likelihood);
  const std::int64_t lane = threadIdx.x % 32, columns = args.columns;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const float* params = static_cast<const float*>(args.params) + row * F::kParameters * columns;
    const float* target = static_cast<const float*>(args.target) + row / args.repeats * columns;
    double sum = 0;
    for (std::int64_t column = lane; column < columns; column += 32) {
      float unused[F::kParameters];
      sum += costly_nll<F>(params + column, columns, target[column], settings, unused);
    }
    sum = warp_sum(sum);
    if (lane == 0) static_cast<float*>(args.out)[row] = static_cast<float>(-sum);
  }
}

// Each warp computes a row.
template <class F>
__global__ void __launch_bounds__(kThreads) costly_log_density_backward_kernel(LogDensityBackwardArgs args) {
  const LogDensityArgs& forward = args.forward;
  const auto settings = math::settings_of<float>(forward.likelihood);
  const std::int64_t lane = threadIdx.x % 32, columns = forward.columns;
  for (std::int64_t row = grid_thread() / 32; row < forward.rows; row += grid_threads() / 32) {
    const float* params = static_cast<const float*>(forward.params) + row * F::kParameters * columns;
    const float* target = static_cast<const float*>(forward.target) + row / forward.repeats * columns;
    float* d_params = static_cast<float*>(args.d_params) + row * F::kParameters * columns;
    const float weight = -static_cast<const float*>(args.d_rows)[row];
    for (std::int64_t column = lane; column < columns; column += 32) {
      float slopes[F::kParameters] = {};
      if (weight != 0.0f) costly_nll<F>(params + column, columns, target[column], settings, slopes);
#pragma unroll
      for (int k = 0; k < F::kParameters; ++k)
        d_params[k * columns + column] = weight != 0.0f ? weight * slopes[k] : 0.0f;
    }
  }
}

// The kernels of a formula; `aligned` chooses between the variants of the memory-bound ones.
template <class F>
auto likelihood_kernel_of([[maybe_unused]] bool aligned) {
  if constexpr (Costly<F>)
    return costly_likelihood_kernel<F>;
  else
    return aligned ? likelihood_kernel<F, true> : likelihood_kernel<F, false>;
}
template <class F>
auto log_density_kernel_of([[maybe_unused]] bool aligned) {
  if constexpr (Costly<F>)
    return costly_log_density_kernel<F>;
  else
    return aligned ? log_density_kernel<F, true> : log_density_kernel<F, false>;
}
template <class F>
auto log_density_backward_kernel_of([[maybe_unused]] bool aligned) {
  if constexpr (Costly<F>)
    return costly_log_density_backward_kernel<F>;
  else
    return aligned ? log_density_backward_kernel<F, true> : log_density_backward_kernel<F, false>;
}

// Calls body(Formula()) with the formula of a kind. No operation computes log densities from probabilities,
// so there is no kernel for them.
template <class Body>
void with_density(const char* operation, LikelihoodKind kind, const Body& body) {
  math::with_likelihood(kind, [&](auto formula) {
    if constexpr (std::is_same_v<decltype(formula), math::BernoulliOfProbability>)
      fail_argument(operation, "logits", "probabilities");
    else
      body(formula);
  });
}

}  // namespace

void CudaBackend::run(const LikelihoodArgs& args, StreamHandle stream) {
  require_f32("likelihood", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = args.rows * args.columns;
  const bool flat = parameters_of(args.likelihood.kind) == 1;
  const bool aligned = (flat || args.columns % 4 == 0) && aligned16(args.params, args.target, args.d_params);
  const std::int64_t work = !flat     ? args.rows * ceil_div(args.columns, 4)
                            : aligned ? ceil_div(size, 4)
                                      : size;
  math::with_likelihood(args.likelihood.kind, [&](auto formula) {
    using F = decltype(formula);
    const std::int64_t grid = blocks(Costly<F> ? size : work, kThreads, 1);
    launch({"likelihood", "likelihood_kernel", grid, kThreads, size, stream},
           likelihood_kernel_of<F>(aligned), args, scratch(stream));
  });
}

void CudaBackend::run(const LogDensityArgs& args, StreamHandle stream) {
  require_f32("log_density", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.columns % 4 == 0 && aligned16(args.params, args.target);
  with_density("log_density", args.likelihood.kind, [&](auto formula) {
    using F = decltype(formula);
    launch({"log_density", "log_density_kernel", blocks(args.rows, kThreads / 32), kThreads,
            args.rows * args.columns, stream},
           log_density_kernel_of<F>(aligned), args);
  });
}

void CudaBackend::run(const LogDensityBackwardArgs& args, StreamHandle stream) {
  const LogDensityArgs& forward = args.forward;
  require_f32("log_density_backward", forward.dtype);
  const DeviceGuard on(device_);
  const bool aligned = forward.columns % 4 == 0 && aligned16(forward.params, forward.target, args.d_params);
  with_density("log_density_backward", forward.likelihood.kind, [&](auto formula) {
    using F = decltype(formula);
    launch({"log_density_backward", "log_density_backward_kernel", blocks(forward.rows, kThreads / 32),
            kThreads, forward.rows * forward.columns, stream},
           log_density_backward_kernel_of<F>(aligned), args);
  });
}

}  // namespace gpuvae::kernels
