// Optimiser updates of a whole arena of parameters, and the average of the weights.
#include <cmath>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/flush_subnormals.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/math/optimizer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/optimizer.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// The scalars of an update as vectors. Adam's corrections are included in rate and epsilon:
//   rate (s1 c1) / (sqrt(s2 c2) + epsilon) = (rate c1 / sqrt(c2)) s1 / (sqrt(s2) + epsilon / sqrt(c2)).
template <class V>
struct Coefficients {
  Coefficients(const OptimizerArgs& g, double decay_now)
      : Coefficients(g, decay_now, math::learning_rate_of(g, step_of(g.clock)),
                     static_cast<double>(step_of(g.clock) + 1)) {}
  V rate, beta1, beta2, rest1, rest2, epsilon, decay, gradient_scale;

 private:
  Coefficients(const OptimizerArgs& g, double decay_now, double learning_rate, double t)
      : rate(constant<V>(learning_rate)),
        beta1(constant<V>(g.beta1)),
        beta2(constant<V>(g.beta2)),
        rest1(hn::Sub(constant<V>(1), beta1)),
        rest2(hn::Sub(constant<V>(1), beta2)),
        epsilon(constant<V>(g.epsilon)),
        decay(constant<V>(decay_now)),
        gradient_scale(hn::Set(Tag<V>(), value_or<Lane<V>>(g.gradient_scale, 1))) {
    if (g.kind == OptimizerKind::adamw) decay = constant<V>(learning_rate * decay_now);
    if (g.kind != OptimizerKind::adam && g.kind != OptimizerKind::adamw) return;
    const double root = std::sqrt(1 - std::pow(g.beta2, t));  // 1 / sqrt(c2)
    rate = constant<V>(learning_rate * root / (1 - std::pow(g.beta1, t)));
    epsilon = constant<V>(g.epsilon * root);
  }
};

// Vector version of math::optimizer_update.
template <OptimizerKind kind, class V>
HWY_INLINE void update(const Coefficients<V>& o, V g, V& p, V& s1, V& s2) {
  if constexpr (kind == OptimizerKind::adamw) {
    p = hn::NegMulAdd(o.decay, p, p);
  } else {
    g = hn::MulAdd(o.decay, p, g);
  }
  if constexpr (kind == OptimizerKind::sgd) {
    s1 = hn::MulAdd(o.beta1, s1, g);
    p = hn::NegMulAdd(o.rate, s1, p);
  } else if constexpr (kind == OptimizerKind::adam || kind == OptimizerKind::adamw) {
    s1 = hn::MulAdd(o.beta1, s1, hn::Mul(o.rest1, g));
    s2 = hn::MulAdd(o.beta2, s2, hn::Mul(hn::Mul(o.rest2, g), g));
    p = hn::Sub(p, hn::Div(hn::Mul(o.rate, s1), hn::Add(hn::Sqrt(s2), o.epsilon)));
  } else {
    s1 = kind == OptimizerKind::adagrad ? hn::MulAdd(g, g, s1)
                                        : hn::MulAdd(o.beta2, s1, hn::Mul(hn::Mul(o.rest2, g), g));
    const V root = kind == OptimizerKind::rmsprop_tf1 ? hn::Sqrt(hn::Add(s1, o.epsilon))
                                                      : hn::Add(hn::Sqrt(s1), o.epsilon);
    p = hn::Sub(p, hn::Div(hn::Mul(o.rate, g), root));
  }
}

// Updates the elements begin, ..., end - 1, reading and writing `states` states.
template <OptimizerKind kind, int states, class T, class V>
void update_range(const OptimizerArgs& g, const Coefficients<V>& coefficients, std::int64_t begin,
                  std::int64_t end) {
  T* parameters = as<T>(g.parameters);
  const T* gradients = as<T>(g.gradients);
  T* state1 = as<T>(g.state1);
  T* state2 = as<T>(g.state2);
  each_vector<T>(begin, end, [=](auto access, std::int64_t i) HWY_ATTR {
    V p = access.load(parameters + i), s1 = hn::Zero(Tag<V>()), s2 = s1;
    if constexpr (states > 0) s1 = access.load(state1 + i);
    if constexpr (states > 1) s2 = access.load(state2 + i);
    update<kind>(coefficients, hn::Mul(coefficients.gradient_scale, access.load(gradients + i)), p, s1, s2);
    access.store(p, parameters + i);
    if constexpr (states > 0) access.store(s1, state1 + i);
    if constexpr (states > 1) access.store(s2, state2 + i);
  });
}

// Calls body(begin, end) for parts of the arena. Piece i of n contains the elements from i/n to (i + 1)/n of
// every tensor. Products divide weights and their gradients in the same way (kernels/cpu/gemm/slices.h), so a
// thread mostly updates weights whose gradients are in its cache, and that only it reads.
template <class Body>
void each_part(const OptimizerArgs& g, const Body& body) {
  constexpr std::int64_t kElementsPerTwoPieces = 16384, kMultiple = 64, kMaxPieces = 256, kWhole[] = {0};
  const std::int64_t pieces = std::clamp<std::int64_t>(g.size / kElementsPerTwoPieces * 2, 2, kMaxPieces);
  const std::span<const std::int64_t> tensors = g.tensors.empty() ? kWhole : g.tensors;
  parallel_for(pieces, g.size >= kCostlyGrain, [&](std::int64_t piece) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::int64_t first = tensors[i], end = i + 1 < tensors.size() ? tensors[i + 1] : g.size;
      const auto bound = [&](std::int64_t n) {
        return n == pieces ? end : first + (end - first) * n / pieces / kMultiple * kMultiple;
      };
      if (bound(piece) < bound(piece + 1)) body(bound(piece), bound(piece + 1));
    }
  });
}

template <OptimizerKind kind, class T, int states = math::optimizer_states(kind)>
void update_all(const OptimizerArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const Coefficients<V> with_decay(g, g.decay), without_decay(g, 0);
  each_part(g, [&](std::int64_t begin, std::int64_t end) {
    const FlushSubnormals flush;
    const std::int64_t middle = std::clamp(g.decayed, begin, end);
    update_range<kind, states, T>(g, with_decay, begin, middle);
    update_range<kind, states, T>(g, without_decay, middle, end);
  });
}

template <class T>
void optimizer_of(const OptimizerArgs& g) {
  if (g.guarded && std::isnan(value_or<T>(g.gradient_scale, 1))) return;
  switch (g.kind) {
    case OptimizerKind::sgd:
      return g.beta1 == 0 ? update_all<OptimizerKind::sgd, T, 0>(g) : update_all<OptimizerKind::sgd, T>(g);
    case OptimizerKind::rmsprop:
      return update_all<OptimizerKind::rmsprop, T>(g);
    case OptimizerKind::rmsprop_tf1:
      return update_all<OptimizerKind::rmsprop_tf1, T>(g);
    case OptimizerKind::adagrad:
      return update_all<OptimizerKind::adagrad, T>(g);
    case OptimizerKind::adam:
      return update_all<OptimizerKind::adam, T>(g);
    case OptimizerKind::adamw:
      return update_all<OptimizerKind::adamw, T>(g);
  }
}

void OptimizerStep(const OptimizerArgs& g) {
  with_float(g.dtype, "optimizer_step", [&](auto type) { optimizer_of<decltype(type)>(g); });
}

template <class T>
void average_of(const AverageArgs& g) {
  if (std::isnan(value_or<T>(g.gradient_scale, 1))) return;
  using V = hn::Vec<hn::ScalableTag<T>>;
  const double kept = math::average_keep(g.form, g.decay, std::log(g.decay), step_of(g.clock));
  const V keep = constant<V>(kept), rest = constant<V>(1 - kept);
  const T* parameters = as<T>(g.parameters);
  T* average = as<T>(g.average);
  parallel_chunks(Chunks::of_elements(g.size), g.size >= kCheapGrain,
                  [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
                    const FlushSubnormals flush;
                    each_vector<T>(begin, end, [=](auto access, std::int64_t i) HWY_ATTR {
                      const V new_part = hn::Mul(rest, access.load(parameters + i));
                      access.store(hn::MulAdd(keep, access.load(average + i), new_part), average + i);
                    });
                  });
}

void Average(const AverageArgs& g) {
  with_float(g.dtype, "average", [&](auto type) { average_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(OptimizerStep);
HWY_EXPORT(Average);
void CpuBackend::run(const OptimizerArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(OptimizerStep)(g); }
void CpuBackend::run(const AverageArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Average)(g); }
}  // namespace gpuvae::kernels
#endif
