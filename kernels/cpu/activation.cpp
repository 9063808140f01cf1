// A layer's bias and activation, and their backward pass with the gradient of the bias.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/bias_activation.h"
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

template <Activation kind>
void forward(const GemmArgs& g) {
  const float* bias = as<float>(g.bias);
  const auto finish_rows = [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for (std::int64_t row = begin; row < end; ++row) {
      float* c = as<float>(g.c) + row * g.n;
      each_vector<float>(0, g.n, [=](auto access, std::int64_t i) HWY_ATTR {
        const auto x = access.load(c + i);
        access.store(activate<kind>(bias ? hn::Add(x, access.load(bias + i)) : x), c + i);
      });
    }
  };
  constexpr bool cheap =
      kind == Activation::identity || kind == Activation::relu || kind == Activation::leaky_relu;
  parallel_chunks(Chunks::of_rows(g.m, g.n), g.m * g.n >= (cheap ? kCheapGrain : kCostlyGrain), finish_rows);
}

// Calls body with the activation as a compile-time constant.
template <class Body>
void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::identity:
      return body(std::integral_constant<Activation, Activation::identity>());
    case Activation::relu:
      return body(std::integral_constant<Activation, Activation::relu>());
    case Activation::leaky_relu:
      return body(std::integral_constant<Activation, Activation::leaky_relu>());
    case Activation::sigmoid:
      return body(std::integral_constant<Activation, Activation::sigmoid>());
    case Activation::tanh:
      return body(std::integral_constant<Activation, Activation::tanh>());
    case Activation::softplus:
      return body(std::integral_constant<Activation, Activation::softplus>());
  }
}

void BiasActivation(const GemmArgs& g) {
  with_activation(g.activation, [&](auto kind) { forward<kind()>(g); });
}
void ActivationBackward(const ActivationBackwardArgs& g) {
  with_float(g.dtype, "activation_backward", [&](auto type) {
    with_activation(g.activation, [&](auto kind) { backward<kind(), decltype(type)>(g); });
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(ActivationBackward);
HWY_EXPORT(BiasActivation);
void CpuBackend::run(const ActivationBackwardArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(ActivationBackward)(g);
}
void add_bias_and_activate(const GemmArgs& g) { HWY_DYNAMIC_DISPATCH(BiasActivation)(g); }
}  // namespace gpuvae::kernels
#endif
