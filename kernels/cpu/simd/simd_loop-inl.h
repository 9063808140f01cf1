// Loops over the elements of arrays, one vector at a time. The same loop body handles full vectors and the
// remaining elements at the end. This file is included once per instruction set, like Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_SIMD_LOOP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_SIMD_LOOP_INL_H
#undef GPUVAE_KERNELS_CPU_SIMD_LOOP_INL_H
#else
#define GPUVAE_KERNELS_CPU_SIMD_LOOP_INL_H
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Loads and stores a full vector.
template <class T>
struct Whole {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  static constexpr D d{};
  HWY_INLINE V load(const T* from) const { return hn::LoadU(d, from); }
  HWY_INLINE void store(V v, T* to) const { hn::StoreU(v, d, to); }
  HWY_INLINE V keep(V v) const { return v; }
  HWY_INLINE V keep(V v, V) const { return v; }
};
// Loads and stores the first `count` lanes of a vector. The other lanes are loaded as zero and not stored.
template <class T>
struct Part {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  static constexpr D d{};
  std::size_t count;
  HWY_INLINE V load(const T* from) const {
    HWY_ALIGN T lanes[HWY_LANES(T)] = {};
    std::memcpy(lanes, from, count * sizeof(T));
    return hn::Load(d, lanes);
  }
  HWY_INLINE void store(V v, T* to) const {
    HWY_ALIGN T lanes[HWY_LANES(T)];
    hn::Store(v, d, lanes);
    std::memcpy(to, lanes, count * sizeof(T));
  }
  // Sets the unused lanes to zero, as sums require, or to `otherwise`, for example for maxima.
  HWY_INLINE V keep(V v) const { return hn::IfThenElseZero(hn::FirstN(d, count), v); }
  HWY_INLINE V keep(V v, V otherwise) const { return hn::IfThenElse(hn::FirstN(d, count), v, otherwise); }
};

// Calls body(access, i) for i = begin, begin + lanes, ..., where access is a Whole<T>, or a Part<T> for the
// last elements if they do not fill a vector.
template <class T, class Body>
HWY_INLINE void each_vector(std::int64_t begin, std::int64_t end, const Body& body) {
  constexpr std::int64_t lanes = HWY_LANES(T);
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(Whole<T>{}, i);
  if (i < end) body(Part<T>{static_cast<std::size_t>(end - i)}, i);
}

// Sums the lanes of vectors of T in double precision.
template <class T>
class Sum {
  using D = hn::ScalableTag<T>;
  using Double = hn::ScalableTag<double>;

 public:
  HWY_INLINE Sum() : low_(hn::Zero(Double())), high_(hn::Zero(Double())) {}
  HWY_INLINE void add(hn::Vec<D> v) {
    if constexpr (sizeof(T) == 8) {
      low_ = hn::Add(low_, v);
    } else {
#if HWY_TARGET == HWY_SCALAR
      low_ = hn::Add(low_, hn::PromoteTo(Double(), v));
#else
      const hn::Half<D> half;
      low_ = hn::Add(low_, hn::PromoteTo(Double(), hn::LowerHalf(half, v)));
      high_ = hn::Add(high_, hn::PromoteTo(Double(), hn::UpperHalf(half, v)));
#endif
    }
  }
  HWY_INLINE double total() const { return hn::GetLane(hn::SumOfLanes(Double(), hn::Add(low_, high_))); }

 private:
  hn::Vec<Double> low_, high_;
};

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
