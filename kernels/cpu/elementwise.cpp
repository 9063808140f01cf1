// Elementwise kernels over flat arrays: unary operations and their derivatives, axpby, fill.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/elementwise.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/continuous_bernoulli-inl.h"
#include "kernels/cpu/gamma-inl.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Calls body(access, i) for all vectors of `size` elements, on threads if that pays.
template <class T, class Body>
void map(std::int64_t size, std::int64_t grain, const Body& body) {
  parallel_chunks(Chunks::of_elements(size), size >= grain,
                  [&](std::int64_t begin, std::int64_t end) HWY_ATTR { each_vector<T>(begin, end, body); });
}

// The activation that a unary operation is, or identity.
constexpr Activation activation_of(Unary operation) {
  switch (operation) {
    case Unary::relu:
      return Activation::relu;
    case Unary::leaky_relu:
      return Activation::leaky_relu;
    case Unary::sigmoid:
      return Activation::sigmoid;
    case Unary::tanh:
      return Activation::tanh;
    case Unary::softplus:
      return Activation::softplus;
    default:
      return Activation::identity;
  }
}

template <Unary operation, class V>
HWY_INLINE V value(V x, V a, V b) {
  constexpr Activation activation = activation_of(operation);
  if constexpr (activation != Activation::identity) {
    return activate<activation>(x);
  } else if constexpr (operation == Unary::exp) {
    return HWY_NAMESPACE::exp(x);
  } else if constexpr (operation == Unary::log) {
    return HWY_NAMESPACE::log(x);
  } else if constexpr (operation == Unary::sqrt) {
    return hn::Sqrt(x);
  } else if constexpr (operation == Unary::square) {
    return hn::Mul(x, x);
  } else if constexpr (operation == Unary::reciprocal) {
    return hn::Div(constant<V>(1), x);
  } else if constexpr (operation == Unary::affine) {
    return hn::MulAdd(a, x, b);
  } else if constexpr (operation == Unary::continuous_bernoulli_log_normalizer) {
    return ContinuousBernoulli<V>(x).log_normalizer();
  } else if constexpr (operation == Unary::continuous_bernoulli_mean) {
    return ContinuousBernoulli<V>(x).mean();
  } else if constexpr (operation == Unary::abs) {
    return hn::Abs(x);
  } else if constexpr (operation == Unary::lgamma) {
    return Gamma<V>(x).lgamma();
  } else if constexpr (operation == Unary::digamma) {
    return Gamma<V>(x).digamma();
  } else {
    static_assert(operation == Unary::clamp);
    return clamp(x, a, b);
  }
}

// Whether the derivative is a function of x rather than of y.
constexpr bool slope_from_x(Unary operation) {
  return operation == Unary::log || operation == Unary::square || operation == Unary::clamp ||
         operation == Unary::continuous_bernoulli_log_normalizer ||
         operation == Unary::continuous_bernoulli_mean || operation == Unary::abs ||
         operation == Unary::lgamma || operation == Unary::digamma;
}
// The derivative, from x or y.
template <Unary operation, class V>
HWY_INLINE V slope(V v, V a, V b) {
  constexpr Activation activation = activation_of(operation);
  if constexpr (activation != Activation::identity) {
    return activation_derivative<activation>(v);
  } else if constexpr (operation == Unary::exp) {
    return v;
  } else if constexpr (operation == Unary::log) {
    return hn::Div(constant<V>(1), v);
  } else if constexpr (operation == Unary::sqrt) {
    return hn::Div(constant<V>(0.5), v);
  } else if constexpr (operation == Unary::square) {
    return hn::Add(v, v);
  } else if constexpr (operation == Unary::reciprocal) {
    return hn::Neg(hn::Mul(v, v));
  } else if constexpr (operation == Unary::continuous_bernoulli_log_normalizer) {
    return ContinuousBernoulli<V>(v).mean();
  } else if constexpr (operation == Unary::continuous_bernoulli_mean) {
    return ContinuousBernoulli<V>(v).variance();
  } else if constexpr (operation == Unary::abs) {
    const V one = constant<V>(1), zero = constant<V>(0);
    return hn::IfThenElse(hn::Gt(v, zero), one, hn::IfThenElse(hn::Lt(v, zero), hn::Neg(one), zero));
  } else if constexpr (operation == Unary::lgamma) {
    return Gamma<V>(v).digamma();
  } else if constexpr (operation == Unary::digamma) {
    return Gamma<V>(v).trigamma();
  } else {
    static_assert(operation == Unary::clamp);
    return one_if<V>(hn::And(hn::Ge(v, a), hn::Le(v, b)));
  }
}

template <Unary operation, class T>
void unary_of(const UnaryArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T* x = as<T>(g.x);
  T* y = as<T>(g.y);
  constexpr bool cheap = operation == Unary::relu || operation == Unary::leaky_relu ||
                         operation == Unary::square || operation == Unary::affine ||
                         operation == Unary::clamp || operation == Unary::abs;
  map<T>(g.size, cheap ? kCheapGrain : kCostlyGrain, [=](auto access, std::int64_t i) HWY_ATTR {
    access.store(value<operation>(access.load(x + i), constant<V>(g.a), constant<V>(g.b)), y + i);
  });
}

template <Unary operation, class T>
void unary_backward_of(const UnaryBackwardArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T* from = as<T>(slope_from_x(operation) ? g.x : g.y);
  const T* d_y = as<T>(g.d_y);
  T* d_x = as<T>(g.d_x);
  map<T>(g.size, kCheapGrain, [=](auto access, std::int64_t i) HWY_ATTR {
    const V a = constant<V>(g.a), b = constant<V>(g.b), d = access.load(d_y + i);
    if constexpr (operation == Unary::affine) {
      access.store(hn::Mul(d, a), d_x + i);
    } else {
      access.store(hn::Mul(d, slope<operation>(access.load(from + i), a, b)), d_x + i);
    }
  });
}

// Calls body with the operation as a compile-time constant.
template <class Body>
void with_operation(Unary operation, const Body& body) {
#define GPUVAE_UNARY_CASE(name) \
  case Unary::name:             \
    return body(std::integral_constant<Unary, Unary::name>())
  switch (operation) {
    GPUVAE_UNARY_CASE(relu);
    GPUVAE_UNARY_CASE(leaky_relu);
    GPUVAE_UNARY_CASE(sigmoid);
    GPUVAE_UNARY_CASE(tanh);
    GPUVAE_UNARY_CASE(softplus);
    GPUVAE_UNARY_CASE(exp);
    GPUVAE_UNARY_CASE(log);
    GPUVAE_UNARY_CASE(sqrt);
    GPUVAE_UNARY_CASE(square);
    GPUVAE_UNARY_CASE(reciprocal);
    GPUVAE_UNARY_CASE(affine);
    GPUVAE_UNARY_CASE(clamp);
    GPUVAE_UNARY_CASE(continuous_bernoulli_log_normalizer);
    GPUVAE_UNARY_CASE(continuous_bernoulli_mean);
    GPUVAE_UNARY_CASE(abs);
    GPUVAE_UNARY_CASE(lgamma);
    GPUVAE_UNARY_CASE(digamma);
  }
#undef GPUVAE_UNARY_CASE
}

void UnaryForward(const UnaryArgs& g) {
  with_float(g.dtype, "unary", [&](auto type) {
    with_operation(g.operation, [&](auto operation) { unary_of<operation(), decltype(type)>(g); });
  });
}
void UnaryBackward(const UnaryBackwardArgs& g) {
  with_float(g.dtype, "unary_backward", [&](auto type) {
    with_operation(g.operation, [&](auto operation) { unary_backward_of<operation(), decltype(type)>(g); });
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
void CpuBackend::run(const UnaryBackwardArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(UnaryBackward)(g);
}
void CpuBackend::run(const AxpbyArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Axpby)(g); }
void CpuBackend::run(const FillArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Fill)(g); }
}  // namespace gpuvae::kernels
#endif
