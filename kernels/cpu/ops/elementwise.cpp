// Element-wise kernels over flat arrays: unary operations and their derivatives, axpby, fill.
#include <cstring>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/elementwise.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/functions-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Calls body(access, i) for all vectors of `size` elements, on several threads if that pays off.
template <class T, class Body>
void map(std::int64_t size, std::int64_t grain, const Body& body) {
  parallel_chunks(Chunks::of_elements(size), size >= grain,
                  [&](std::int64_t begin, std::int64_t end) HWY_ATTR { each_vector<T>(begin, end, body); });
}

// Computes out[i] from x[i] and y[i] for i = 0, ..., size - 1, where size is a multiple of the vector's
// length.
template <class T>
using VectorKernel = void (*)(const T* x, const T* y, T* out, std::int64_t size, double a, double b);

template <class Function, class T>
void value_vectors(const T* x, const T*, T* y, std::int64_t size, double a, double b) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const Whole<T> access;
  const V va = constant<V>(a), vb = constant<V>(b);
  for (std::int64_t i = 0; i < size; i += HWY_LANES(T))
    access.store(value_of<Function>(access.load(x + i), va, vb), y + i);
}
template <class Function, class T>
void gradient_vectors(const T* saved, const T* d_y, T* d_x, std::int64_t size, double a, double b) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const Whole<T> access;
  const V va = constant<V>(a), vb = constant<V>(b);
  for (std::int64_t i = 0; i < size; i += HWY_LANES(T))
    access.store(hn::Mul(access.load(d_y + i), slope_of<Function>(access.load(saved + i), va, vb)), d_x + i);
}

// Calls a kernel for all vectors. The same kernel processes the last elements in buffers if they do not fill
// a vector. As it is called through a pointer, the compiler sees each function once, and this loop once per
// type.
template <class T>
void run_vectors(VectorKernel<T> kernel, std::int64_t size, std::int64_t grain, const T* x, const T* y,
                 T* out, double a, double b) {
  const auto chunk = [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t lanes = HWY_LANES(T);
    const std::int64_t last = begin + (end - begin) / lanes * lanes;
    kernel(x + begin, y + begin, out + begin, last - begin, a, b);
    if (last == end) return;
    const std::size_t bytes = static_cast<std::size_t>(end - last) * sizeof(T);
    T x_rest[lanes] = {}, y_rest[lanes] = {}, out_rest[lanes];
    std::memcpy(x_rest, x + last, bytes);
    std::memcpy(y_rest, y + last, bytes);
    kernel(x_rest, y_rest, out_rest, lanes, a, b);
    std::memcpy(out + last, out_rest, bytes);
  };
  parallel_chunks(Chunks::of_elements(size), size >= grain, chunk);
}

void UnaryForward(const UnaryArgs& g) {
  with_float(g.dtype, "unary", [&](auto type) {
    using T = decltype(type);
    std::int64_t grain = kCostlyGrain;
    const VectorKernel<T> kernel = with_function(g.operation, [&](auto function) -> VectorKernel<T> {
      if (function.cheap) grain = kCheapGrain;
      return value_vectors<decltype(function), T>;
    });
    run_vectors(kernel, g.size, grain, as<T>(g.x), as<T>(g.x), as<T>(g.y), g.a, g.b);
  });
}
void UnaryBackward(const UnaryBackwardArgs& g) {
  with_float(g.dtype, "unary_backward", [&](auto type) {
    using T = decltype(type);
    const VectorKernel<T> kernel = with_function(g.operation, [](auto function) -> VectorKernel<T> {
      return gradient_vectors<decltype(function), T>;
    });
    run_vectors(kernel, g.size, kCheapGrain, as<T>(g.saved), as<T>(g.d_y), as<T>(g.d_x), g.a, g.b);
  });
}

template <class T>
void axpby_of(const AxpbyArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T alpha = static_cast<T>(g.alpha) * value_or<T>(g.device_alpha, 1), beta = static_cast<T>(g.beta);
  const T* x = as<T>(g.x);
  T* y = as<T>(g.y);
  const auto scale = [=](auto access, std::int64_t i) HWY_ATTR {
    access.store(hn::Mul(hn::Set(access.d, alpha), access.load(x + i)), y + i);
  };
  const auto add = [=](auto access, std::int64_t i) HWY_ATTR {
    const V scaled = hn::Mul(hn::Set(access.d, beta), access.load(y + i));
    access.store(hn::MulAdd(hn::Set(access.d, alpha), access.load(x + i), scaled), y + i);
  };
  beta == T(0) ? map<T>(g.size, kCheapGrain, scale) : map<T>(g.size, kCheapGrain, add);
}
void Axpby(const AxpbyArgs& g) {
  with_float(g.dtype, "axpby", [&](auto type) { axpby_of<decltype(type)>(g); });
}

void Fill(const FillArgs& g) {
  with_float(g.dtype, "fill", [&](auto type) {
    using T = decltype(type);
    T* out = as<T>(g.out);
    const T value = static_cast<T>(g.value);
    map<T>(g.size, kCheapGrain,
           [=](auto access, std::int64_t i) HWY_ATTR { access.store(hn::Set(access.d, value), out + i); });
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(UnaryForward);
HWY_EXPORT(UnaryBackward);
HWY_EXPORT(Axpby);
HWY_EXPORT(Fill);
void CpuBackend::run(const UnaryArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(UnaryForward)(g); }
void CpuBackend::run(const UnaryBackwardArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(UnaryBackward)(g); }
void CpuBackend::run(const AxpbyArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Axpby)(g); }
void CpuBackend::run(const FillArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Fill)(g); }
}  // namespace gpuvae::kernels
#endif
