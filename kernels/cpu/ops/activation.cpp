// A layer's bias and activation, and their backward pass, which also computes the gradient of the bias.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/bias_activation.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/activation.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/column_sums-inl.h"
#include "kernels/cpu/simd/functions-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <class Function, class T>
void backward(const ActivationBackwardArgs& g) {
  const T* saved = as<T>(g.saved);
  const T* d_output = as<T>(g.d_output);
  T* d_input = as<T>(g.d_input);
  const auto slope_at = [=](auto access, std::int64_t i) HWY_ATTR {
    auto d = access.load(d_output + i);
    if constexpr (!std::is_same_v<Function, Identity>)
      d = hn::Mul(d, Function::slope(access.load(saved + i)));
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

template <class Function>
void forward(const GemmArgs& g, const Block& block) {
  const float* bias = as<float>(g.bias);
  for (std::int64_t row = block.first_row; row < block.end_row; ++row) {
    float* c = as<float>(g.c) + row * g.n;
    [[maybe_unused]] float* input = g.activation_input ? as<float>(g.activation_input) + row * g.n : nullptr;
    each_vector<float>(block.first_column, block.end_column, [=](auto access, std::int64_t i) HWY_ATTR {
      const auto product = access.load(c + i);
      const auto x = bias ? hn::Add(product, access.load(bias + i)) : product;
      if constexpr (!Function::slope_from_output)
        if (input) access.store(x, input + i);
      access.store(Function::value(x), c + i);
    });
  }
}

void BiasActivation(const GemmArgs& g, const Block& block) {
  with_function(g.activation, [&](auto function) { forward<decltype(function)>(g, block); });
}
void ActivationBackward(const ActivationBackwardArgs& g) {
  with_float(g.dtype, "activation_backward", [&](auto type) {
    with_function(g.activation, [&](auto function) { backward<decltype(function), decltype(type)>(g); });
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
void add_bias_and_activate(const GemmArgs& g, const Block& block) {
  HWY_DYNAMIC_DISPATCH(BiasActivation)(g, block);
}
void add_bias_and_activate(const GemmArgs& g) {
  parallel_chunks(Chunks::of_rows(g.m, g.n), g.m * g.n >= kCheapGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    add_bias_and_activate(g, {begin, end, 0, g.n});
                  });
}
}  // namespace gpuvae::kernels
#endif
