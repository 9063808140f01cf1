// Bernoulli negative log likelihood and its gradient in one pass.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/bce.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <bool logits, class T>
void bce_of(const BceArgs& g) {
  const T* x = as<T>(g.x);
  const T* target = as<T>(g.target);
  T* d_x = as<T>(g.d_x);
  const auto chunk_loss = [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
    Sum<T> sum;
    const auto weight = hn::Set(hn::ScalableTag<T>(), static_cast<T>(g.weight));
    each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
      const auto in = access.load(x + i), t = access.load(target + i);
      const auto pixel = logits ? bce_with_logits(in, t) : HWY_NAMESPACE::bce(in, t);
      sum.add(access.keep(pixel.value));
      if (d_x) access.store(hn::Mul(weight, pixel.slope), d_x + i);
    });
    return sum.total();
  };
  const double loss = parallel_sum(Chunks::of_elements(g.size), g.size >= kCostlyGrain, chunk_loss);
  *as<T>(g.loss) = static_cast<T>(g.weight * loss);
}

void Bce(const BceArgs& g) {
  with_float(g.dtype, "bce", [&](auto type) {
    g.logits ? bce_of<true, decltype(type)>(g) : bce_of<false, decltype(type)>(g);
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Bce);
void CpuBackend::bce(const BceArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Bce)(g); }
}  // namespace gpuvae::kernels
#endif
