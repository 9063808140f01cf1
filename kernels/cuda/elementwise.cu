// Elementwise kernels: unary operations and their derivatives, broadcasting binary ones, axpby, fill, cast.
// Operations are switches uniform over the grid: the kernels wait for memory, not for them.
// lgamma and digamma: kernels/cuda/gamma.cu.
#include <cuda_bf16.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gamma.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/activation.h"
#include "kernels/math/continuous_bernoulli.h"

namespace gpuvae::kernels {
namespace {

__device__ __forceinline__ float apply(Unary operation, float x, float a, float b) {
  switch (operation) {
    case Unary::relu:
      return math::activate(Activation::relu, x);
    case Unary::leaky_relu:
      return math::activate(Activation::leaky_relu, x);
    case Unary::sigmoid:
      return math::activate(Activation::sigmoid, x);
    case Unary::tanh:
      return math::activate(Activation::tanh, x);
    case Unary::softplus:
      return math::activate(Activation::softplus, x);
    case Unary::exp:
      return math::exp(x);
    case Unary::log:
      return math::log(x);
    case Unary::sqrt:
      return math::sqrt(x);
    case Unary::square:
      return x * x;
    case Unary::reciprocal:
      return 1.0f / x;
    case Unary::affine:
      return a * x + b;
    case Unary::clamp:
      return math::clamp(x, a, b);
    case Unary::continuous_bernoulli_log_normalizer:
      return math::continuous_bernoulli(x).log_normalizer;
    case Unary::continuous_bernoulli_mean:
      return math::continuous_bernoulli(x).mean;
    case Unary::abs:
      return math::fabs(x);
    case Unary::lgamma:
    case Unary::digamma:
      break;
  }
  return x;
}

// Whether the derivative is a function of the input, else of the output: so that only one need be read.
__host__ __device__ __forceinline__ bool derivative_takes_x(Unary operation) {
  return operation == Unary::log || operation == Unary::square || operation == Unary::clamp ||
         operation == Unary::continuous_bernoulli_log_normalizer ||
         operation == Unary::continuous_bernoulli_mean || operation == Unary::abs;
}

// dy/dx at v: x if derivative_takes_x(), else y.
__device__ __forceinline__ float derivative(Unary operation, float v, float a, float b) {
  switch (operation) {
    case Unary::relu:
      return math::activation_derivative(Activation::relu, v);
    case Unary::leaky_relu:
      return math::activation_derivative(Activation::leaky_relu, v);
    case Unary::sigmoid:
      return math::activation_derivative(Activation::sigmoid, v);
    case Unary::tanh:
      return math::activation_derivative(Activation::tanh, v);
    case Unary::softplus:
      return math::activation_derivative(Activation::softplus, v);
    case Unary::exp:
      return v;
    case Unary::log:
      return 1.0f / v;
    case Unary::sqrt:
      return 0.5f / v;
    case Unary::square:
      return 2.0f * v;
    case Unary::reciprocal:
      return -v * v;
    case Unary::affine:
      return a;
    case Unary::clamp:
      return v < a || v > b ? 0.0f : 1.0f;
    case Unary::continuous_bernoulli_log_normalizer:
      return math::continuous_bernoulli(v).mean;
    case Unary::continuous_bernoulli_mean:
      return math::continuous_bernoulli(v).variance;
    case Unary::abs:
      return v > 0.0f ? 1.0f : (v < 0.0f ? -1.0f : 0.0f);
    case Unary::lgamma:
    case Unary::digamma:
      break;
  }
  return 0.0f;
}

__global__ void __launch_bounds__(kThreads) unary_kernel(UnaryArgs args, bool vectors) {
  const float a = static_cast<float>(args.a), b = static_cast<float>(args.b);
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    Floats<kWidth> x = load<kWidth>(static_cast<const float*>(args.x) + i);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) x[k] = apply(args.operation, x[k], a, b);
    store(static_cast<float*>(args.y) + i, x);
  });
}

__global__ void __launch_bounds__(kThreads) unary_backward_kernel(UnaryBackwardArgs args, bool vectors) {
  const float a = static_cast<float>(args.a), b = static_cast<float>(args.b);
  const float* from = static_cast<const float*>(derivative_takes_x(args.operation) ? args.x : args.y);
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    const Floats<kWidth> v = load<kWidth>(from + i);
    Floats<kWidth> d = load<kWidth>(static_cast<const float*>(args.d_y) + i);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) d[k] *= derivative(args.operation, v[k], a, b);
    store(static_cast<float*>(args.d_x) + i, d);
  });
}

__device__ __forceinline__ float combine(Binary operation, float a, float b) {
  switch (operation) {
    case Binary::add:
      return a + b;
    case Binary::subtract:
      return a - b;
    case Binary::multiply:
      return a * b;
    case Binary::divide:
      break;
  }
  return a / b;
}

template <int N>
__device__ __forceinline__ Floats<N> load_broadcast(Broadcast broadcast, const void* pointer, std::int64_t i,
                                                    std::int64_t row, std::int64_t column) {
  const float* p = static_cast<const float*>(pointer);
  if (broadcast == Broadcast::none) return load<N>(p + i);
  if (broadcast == Broadcast::row) return load<N>(p + column);
  const float same = p[broadcast == Broadcast::column ? row : 0];
  Floats<N> x;
#pragma unroll
  for (int k = 0; k < N; ++k) x[k] = same;
  return x;
}

// With `vectors` a group of four never crosses the end of a row, unless neither operand depends on rows.
__global__ void __launch_bounds__(kThreads) binary_kernel(BinaryArgs args, bool vectors) {
  for_elements(args.rows * args.columns, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    const std::int64_t row = i / args.columns, column = i - row * args.columns;
    const auto a = load_broadcast<kWidth>(args.broadcast_a, args.a, i, row, column);
    const auto b = load_broadcast<kWidth>(args.broadcast_b, args.b, i, row, column);
    Floats<kWidth> out;
#pragma unroll
    for (int k = 0; k < kWidth; ++k) out[k] = combine(args.operation, a[k], b[k]);
    store(static_cast<float*>(args.out) + i, out);
  });
}

__global__ void __launch_bounds__(kThreads) axpby_kernel(AxpbyArgs args, bool vectors) {
  const float* device_alpha = static_cast<const float*>(args.device_alpha);
  const float alpha = static_cast<float>(args.alpha) * (device_alpha ? *device_alpha : 1.0f);
  const float beta = static_cast<float>(args.beta);
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    float* y = static_cast<float*>(args.y) + i;
    Floats<kWidth> x = load<kWidth>(static_cast<const float*>(args.x) + i), old{};
    if (beta != 0.0f) old = load<kWidth>(y);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) x[k] = alpha * x[k] + beta * old[k];
    store(y, x);
  });
}

__global__ void __launch_bounds__(kThreads) fill_kernel(FillArgs args, bool vectors) {
  const float value = static_cast<float>(args.value);
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    Floats<decltype(width)::value> x;
#pragma unroll
    for (float& each : x.v) each = value;
    store(static_cast<float*>(args.out) + i, x);
  });
}

__device__ __forceinline__ float as_float(float x) { return x; }
__device__ __forceinline__ float as_float(std::uint8_t x) { return static_cast<float>(x); }
__device__ __forceinline__ float as_float(std::int32_t x) { return static_cast<float>(x); }
__device__ __forceinline__ float as_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class From>
__global__ void __launch_bounds__(kThreads) cast_kernel(CastArgs args) {
  const From* from = static_cast<const From*>(args.x);
  for (std::int64_t i = grid_thread(); i < args.size; i += grid_threads()) {
    const float x = as_float(from[i]);
    if (args.to == DType::f32) {
      static_cast<float*>(args.out)[i] = x;
    } else {
      static_cast<__nv_bfloat16*>(args.out)[i] = __float2bfloat16_rn(x);
    }
  }
}

auto cast_from(DType from) {
  switch (from) {
    case DType::u8:
      return cast_kernel<std::uint8_t>;
    case DType::i32:
      return cast_kernel<std::int32_t>;
    case DType::bf16:
      return cast_kernel<__nv_bfloat16>;
    case DType::f32:
      return cast_kernel<float>;
    case DType::f64:
      break;
  }
  fail_dtype("cast", from);
}

}  // namespace

void CudaBackend::run(const UnaryArgs& args, StreamHandle stream) {
  require_f32("unary", args.dtype);
  const DeviceGuard on(device_);
  if (is_gamma(args.operation)) return launch_gamma(args, blocks(args.size, kThreads), stream);
  const bool vectors = aligned16(args.x, args.y);
  launch(
      {"unary", "unary_kernel", blocks(args.size, kThreads * (vectors ? 4 : 1)), kThreads, args.size, stream},
      unary_kernel, args, vectors);
}

void CudaBackend::run(const UnaryBackwardArgs& args, StreamHandle stream) {
  require_f32("unary_backward", args.dtype);
  const DeviceGuard on(device_);
  if (is_gamma(args.operation)) return launch_gamma_backward(args, blocks(args.size, kThreads), stream);
  const bool vectors = aligned16(derivative_takes_x(args.operation) ? args.x : args.y, args.d_y, args.d_x);
  launch({"unary_backward", "unary_backward_kernel", blocks(args.size, kThreads * (vectors ? 4 : 1)),
          kThreads, args.size, stream},
         unary_backward_kernel, args, vectors);
}

void CudaBackend::run(const BinaryArgs& args, StreamHandle stream) {
  require_f32("binary", args.dtype);
  const DeviceGuard on(device_);
  const auto ignores_rows = [](Broadcast b) { return b == Broadcast::none || b == Broadcast::scalar; };
  const bool flat = ignores_rows(args.broadcast_a) && ignores_rows(args.broadcast_b);
  const bool vectors = (flat || args.columns % 4 == 0) && aligned16(args.out) &&
                       (args.broadcast_a > Broadcast::row || aligned16(args.a)) &&
                       (args.broadcast_b > Broadcast::row || aligned16(args.b));
  const std::int64_t size = args.rows * args.columns;
  launch({"binary", "binary_kernel", blocks(size, kThreads * (vectors ? 4 : 1)), kThreads, size, stream},
         binary_kernel, args, vectors);
}

void CudaBackend::run(const AxpbyArgs& args, StreamHandle stream) {
  require_f32("axpby", args.dtype);
  const DeviceGuard on(device_);
  const bool vectors = aligned16(args.x, args.y);
  launch(
      {"axpby", "axpby_kernel", blocks(args.size, kThreads * (vectors ? 4 : 1)), kThreads, args.size, stream},
      axpby_kernel, args, vectors);
}

void CudaBackend::run(const FillArgs& args, StreamHandle stream) {
  require_f32("fill", args.dtype);
  const DeviceGuard on(device_);
  const bool vectors = aligned16(args.out);
  launch(
      {"fill", "fill_kernel", blocks(args.size, kThreads * (vectors ? 4 : 1)), kThreads, args.size, stream},
      fill_kernel, args, vectors);
}

void CudaBackend::run(const CastArgs& args, StreamHandle stream) {
  if (args.to != DType::bf16) require_f32("cast", args.to);
  const DeviceGuard on(device_);
  launch({"cast", "cast_kernel", blocks(args.size, kThreads), kThreads, args.size, stream},
         cast_from(args.from), args);
}

}  // namespace gpuvae::kernels
