// The backward pass of a layer's activation, with the gradient of its bias from the same pass.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/activation.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <Activation kind, class T>
void backward(const ActivationBackwardArgs& g) {
  const T* output = as<T>(g.output);
  const T* d_output = as<T>(g.d_output);
  T* d_input = as<T>(g.d_input);
  const auto slope_at = [=](auto access, std::int64_t i) HWY_ATTR {
    auto d = access.load(d_output + i);
    if constexpr (kind != Activation::identity)
      d = hn::Mul(d, activation_derivative<kind>(access.load(output + i)));
    if (d_input) access.store(d, d_input + i);
    return d;
  };
  if (g.d_bias) {
    column_sums<T>(g.rows, g.columns, slope_at, [&](std::int64_t column, double sum) {
      T& out = as<T>(g.d_bias)[column];
      out = static_cast<T>(g.accumulate_bias ? static_cast<double>(out) + sum : sum);
    });
  } else if (d_input) {
    const std::int64_t size = g.rows * g.columns;
    parallel_chunks(Chunks::of_elements(size), size >= kCheapGrain,
                    [&](std::int64_t begin, std::int64_t end)
                        HWY_ATTR { each_vector<T>(begin, end, slope_at); });
  }
}

template <class T>
void backward_of(const ActivationBackwardArgs& g) {
  switch (g.activation) {
    case Activation::identity:
      return backward<Activation::identity, T>(g);
    case Activation::relu:
      return backward<Activation::relu, T>(g);
    case Activation::leaky_relu:
      return backward<Activation::leaky_relu, T>(g);
    case Activation::sigmoid:
      return backward<Activation::sigmoid, T>(g);
    case Activation::tanh:
      return backward<Activation::tanh, T>(g);
    case Activation::softplus:
      return backward<Activation::softplus, T>(g);
  }
}

void ActivationBackward(const ActivationBackwardArgs& g) {
  with_float(g.dtype, "activation_backward", [&](auto type) { backward_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(ActivationBackward);
void CpuBackend::activation_backward(const ActivationBackwardArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(ActivationBackward)(g);
}
}  // namespace gpuvae::kernels
#endif
