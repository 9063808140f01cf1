// Element-wise kernels over flat arrays: unary operations and their derivatives, axpby, fill.
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

template <class Function, class T>
void unary_of(const UnaryArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T* x = as<T>(g.x);
  T* y = as<T>(g.y);
  map<T>(g.size, Function::cheap ? kCheapGrain : kCostlyGrain, [=](auto access, std::int64_t i) HWY_ATTR {
    access.store(value_of<Function>(access.load(x + i), constant<V>(g.a), constant<V>(g.b)), y + i);
  });
}

template <class Function, class T>
void unary_backward_of(const UnaryBackwardArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T* saved = as<T>(g.saved);
  const T* d_y = as<T>(g.d_y);
  T* d_x = as<T>(g.d_x);
  map<T>(g.size, kCheapGrain, [=](auto access, std::int64_t i) HWY_ATTR {
    const V a = constant<V>(g.a), b = constant<V>(g.b), d = access.load(d_y + i);
    access.store(hn::Mul(d, slope_of<Function>(access.load(saved + i), a, b)), d_x + i);
  });
}

void UnaryForward(const UnaryArgs& g) {
  with_float(g.dtype, "unary", [&](auto type) {
    with_function(g.operation, [&](auto function) { unary_of<decltype(function), decltype(type)>(g); });
  });
}
void UnaryBackward(const UnaryBackwardArgs& g) {
  with_float(g.dtype, "unary_backward", [&](auto type) {
    with_function(g.operation,
                  [&](auto function) { unary_backward_of<decltype(function), decltype(type)>(g); });
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
