// Element-wise kernels: unary operations and their derivatives, binary operations with broadcasting, axpby,
// fill and cast. The kernels are memory-bound, so the switch over operations, which is uniform over the grid,
// is free. kernels/cuda/ops/gamma.cu has lgamma and digamma.
#include <cuda_bf16.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/gamma.h"
#include "kernels/math/functions.h"

namespace gpuvae::kernels {
namespace {

// The functions that these kernels compute; kernels/cuda/ops/gamma.cu has the others.
template <class Function>
struct NotGamma : std::bool_constant<!std::is_same_v<Function, math::Lgamma> &&
                                     !std::is_same_v<Function, math::Digamma>> {};

__global__ void __launch_bounds__(kThreads) unary_kernel(UnaryArgs args, bool vectors) {
  const float a = static_cast<float>(args.a), b = static_cast<float>(args.b);
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    Floats<kWidth> x = load<kWidth>(static_cast<const float*>(args.x) + i);
    math::apply<NotGamma>(args.operation, x.v, a, b);
    store(static_cast<float*>(args.y) + i, x);
  });
}

__global__ void __launch_bounds__(kThreads) unary_backward_kernel(UnaryBackwardArgs args, bool vectors) {
  const float a = static_cast<float>(args.a), b = static_cast<float>(args.b);
  const float* saved = static_cast<const float*>(args.saved);
  for_elements(args.size, vectors, [&](auto width, std::int64_t i) {
    constexpr int kWidth = decltype(width)::value;
    const Floats<kWidth> v = load<kWidth>(saved + i);
    Floats<kWidth> d = load<kWidth>(static_cast<const float*>(args.d_y) + i);
    math::apply_slope<NotGamma>(args.operation, v.v, d.v, a, b);
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

// If `vectors` is true, a group of four crosses the end of a row only if both operands are full matrices or
// scalars, for which rows do not matter.
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
  const bool vectors = aligned16(args.saved, args.d_y, args.d_x);
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
