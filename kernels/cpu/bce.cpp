// Bernoulli and continuous Bernoulli negative log likelihood and its gradient in one pass.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/bce.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/continuous_bernoulli-inl.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <BceKind kind, class V>
HWY_INLINE ValueAndSlope<V> pixel_nll(V x, V target) {
  if constexpr (kind == BceKind::logits) {
    return bce_with_logits(x, target);
  } else if constexpr (kind == BceKind::probabilities) {
    return HWY_NAMESPACE::bce(x, target);
  } else {
    return continuous_bernoulli_nll(x, target);
  }
}

// One vector of pixels: its values into the sum, its slopes to d_x.
template <BceKind kind, class T>
struct Pixels {
  const T* x;
  const T* target;
  T* d_x;
  hn::Vec<hn::ScalableTag<T>> weight;

  template <class Access>
  HWY_INLINE void operator()(Access access, std::int64_t i, Sum<T>& sum) const {
    const auto pixel = pixel_nll<kind>(access.load(x + i), access.load(target + i));
    sum.add(access.keep(pixel.value));
    if (d_x) access.store(hn::Mul(weight, pixel.slope), d_x + i);
  }

  // Vectors that share a logarithm.
  static constexpr std::int64_t kGroup = 16, kElements = kGroup * HWY_LANES(T);
  HWY_INLINE void group(std::int64_t i, Sum<T>& sum) const {
    const Whole<T> access;
    auto odds = hn::Zero(access.d), values = hn::Zero(access.d);
    for (std::int64_t j = i; j < i + kElements; j += HWY_LANES(T)) {
      const auto pixel = bce_with_logits(access.load(x + j), access.load(target + j), odds);
      values = hn::Add(values, pixel.value);
      if (d_x) access.store(hn::Mul(weight, pixel.slope), d_x + j);
    }
    sum.add(hn::Add(values, log_of_odds(odds)));
  }
};

template <BceKind kind, class T>
void bce_of(const BceArgs& g) {
  const Pixels<kind, T> pixels{as<T>(g.x), as<T>(g.target), as<T>(g.d_x),
                               hn::Set(hn::ScalableTag<T>(), static_cast<T>(g.weight))};
  const auto chunk_loss = [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
    Sum<T> sum;
    if constexpr (kind == BceKind::logits)
      for (; begin + pixels.kElements <= end; begin += pixels.kElements) pixels.group(begin, sum);
    each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR { pixels(access, i, sum); });
    return sum.total();
  };
  const double loss = parallel_sum(Chunks::of_elements(g.size), g.size >= kCostlyGrain, chunk_loss);
  *as<T>(g.loss) = static_cast<T>(g.weight * loss);
}

void Bce(const BceArgs& g) {
  with_float(g.dtype, "bce", [&](auto type) {
    using T = decltype(type);
    switch (g.kind) {
      case BceKind::logits:
        return bce_of<BceKind::logits, T>(g);
      case BceKind::probabilities:
        return bce_of<BceKind::probabilities, T>(g);
      case BceKind::continuous_logits:
        return bce_of<BceKind::continuous_logits, T>(g);
    }
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Bce);
void CpuBackend::run(const BceArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Bce)(g); }
}  // namespace gpuvae::kernels
#endif
