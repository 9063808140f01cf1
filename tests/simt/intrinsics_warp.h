// Warp intrinsics and atomics. Included by simt.h.
#pragma once

namespace simt {

template <class T>
T shuffle(const Lanes<T>& lanes, int source, int width) {
  const int first = lanes.self & ~(width - 1);  // a source outside the segment keeps one's own value
  return source >= first && source < first + width ? lanes[source] : lanes[lanes.self];
}

template <class T, class Predicate>
unsigned lanes_where(const Lanes<T>& lanes, Predicate holds) {
  unsigned bits = 0;
  for (int i = 0; i < 32; ++i) bits |= unsigned(lanes.has(i) && holds(lanes.value[i])) << i;
  return bits;
}

template <class T, class Combine>
T reduce(const Lanes<T>& lanes, Combine combine) {
  const int first = std::countr_zero(lanes.mask);
  T result = lanes.value[first];
  for (int i = first + 1; i < 32; ++i)
    if (lanes.has(i)) result = combine(result, lanes.value[i]);
  return result;
}

}  // namespace simt

template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32, SIMT_HERE) {
  const auto all = simt::gather("__shfl_sync", mask, v, where);
  return all[(all.self & ~(width - 1)) + (source & (width - 1))];
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32, SIMT_HERE) {
  const auto all = simt::gather("__shfl_xor_sync", mask, v, where);
  return simt::shuffle(all, all.self ^ x, width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, SIMT_HERE) {
  const auto all = simt::gather("__shfl_up_sync", mask, v, where);
  return simt::shuffle(all, all.self - int(delta), width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, SIMT_HERE) {
  const auto all = simt::gather("__shfl_down_sync", mask, v, where);
  return simt::shuffle(all, all.self + int(delta), width);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SIMT_HERE) {
  return simt::lanes_where(simt::gather("__ballot_sync", mask, predicate, where),
                           [](int p) { return p != 0; });
}
inline int __any_sync(unsigned mask, int predicate, SIMT_HERE) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, SIMT_HERE) {
  return __ballot_sync(mask, predicate, where) == mask;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T v, SIMT_HERE) {
  return simt::lanes_where(simt::gather("__match_any_sync", mask, v, where), [=](T x) { return x == v; });
}

template <class T>
T __reduce_add_sync(unsigned mask, T v, SIMT_HERE) {
  return simt::reduce(simt::gather("__reduce_add_sync", mask, v, where), [](T a, T b) { return T(a + b); });
}
template <class T>
T __reduce_max_sync(unsigned mask, T v, SIMT_HERE) {
  return simt::reduce(simt::gather("__reduce_max_sync", mask, v, where),
                      [](T a, T b) { return a < b ? b : a; });
}
template <class T>
T __reduce_min_sync(unsigned mask, T v, SIMT_HERE) {
  return simt::reduce(simt::gather("__reduce_min_sync", mask, v, where),
                      [](T a, T b) { return b < a ? b : a; });
}

// ---- atomics: compiler builtins, so that the race checker is told of them ----
namespace simt {

template <class T, class Update>
T atomic_update(T* p, Update update) {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
  static_assert(sizeof(Bits) == sizeof(T));
  Bits* bits = reinterpret_cast<Bits*>(p);
  Bits before = __atomic_load_n(bits, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(bits, &before, std::bit_cast<Bits>(T(update(std::bit_cast<T>(before)))),
                                      false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return std::bit_cast<T>(before);
}
template <class T>
using Same = std::type_identity_t<T>;

}  // namespace simt

template <class T>
T atomicAdd(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return T(x + v); });
}
template <class T>
T atomicSub(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return T(x - v); });
}
template <class T>
T atomicMax(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return x < v ? v : x; });
}
template <class T>
T atomicMin(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return v < x ? v : x; });
}
template <class T>
T atomicAnd(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return T(x & v); });
}
template <class T>
T atomicOr(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return T(x | v); });
}
template <class T>
T atomicXor(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return T(x ^ v); });
}
template <class T>
T atomicExch(T* p, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T) { return v; });
}
template <class T>
T atomicCAS(T* p, simt::Same<T> expected, simt::Same<T> v) {
  return simt::atomic_update(p, [=](T x) { return x == expected ? v : x; });
}
inline unsigned atomicInc(unsigned* p, unsigned most) {
  return simt::atomic_update(p, [=](unsigned x) { return x >= most ? 0 : x + 1; });
}
inline unsigned atomicDec(unsigned* p, unsigned most) {
  return simt::atomic_update(p, [=](unsigned x) { return x == 0 || x > most ? most : x - 1; });
}
