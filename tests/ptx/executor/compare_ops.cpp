// Implements setp. A predicate is a mask of lanes.
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "machine.h"

namespace ptx {
namespace {

// Returns a mask whose bit l is set if byte l is not 0. Each byte is 0 or 0xff.
inline std::uint32_t mask_of(const std::uint8_t (&holds)[kLanes]) {
#if defined(__AVX2__)
  const __m256i bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(holds));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
#else
  std::uint32_t mask = 0;
  for (Slot l = 0; l < kLanes; ++l) mask |= (holds[l] & 1u) << l;
  return mask;
#endif
}

inline void set(Warp& w, Slot predicate, std::uint32_t mask) {
  std::uint32_t& p = w.predicate(predicate);
  p = (p & ~w.active) | (mask & w.active);
}

// Implements setp.compare.and d|e, a, b, c: d = (a compare b) and c, e = !(a compare b) and c.
inline std::uint32_t combined_predicate(Warp& w, const Instruction& i, std::uint32_t mask) {
  const unsigned how = i.mode & 7;
  if (how == 0) return mask;
  const std::uint32_t c = w.predicate(i.operand[3]) ^ (i.mode & 8 ? ~0u : 0u);
  return how == 1 ? mask & c : how == 2 ? mask | c : mask ^ c;
}

template <class T, class F>
void compare(Warp& w, const Instruction& i, F f) {
  const T* a = w.at<T>(i.operand[1]);
  const T* b = w.at<T>(i.operand[2]);
  alignas(32) std::uint8_t holds[kLanes];
#pragma GCC ivdep
  for (Slot l = 0; l < kLanes; ++l) holds[l] = f(a[l], b[l]) ? 0xff : 0;
  const std::uint32_t mask = mask_of(holds);
  const std::uint32_t first = combined_predicate(w, i, mask);
  const std::uint32_t second = i.operand[4] == kNoSlot ? 0 : combined_predicate(w, i, ~mask);
  set(w, i.operand[0], first);
  if (i.operand[4] != kNoSlot) set(w, i.operand[4], second);
}

// The relation that a comparison tests between numbers. Whether it holds for a NaN operand is a separate
// flag.
enum class Relation { eq, ne, lt, le, gt, ge };

template <Relation kRelation, class T>
inline bool holds(T a, T b) {
  switch (kRelation) {
    case Relation::eq:
      return a == b;
    case Relation::ne:
      return a < b || a > b;
    case Relation::lt:
      return a < b;
    case Relation::le:
      return a <= b;
    case Relation::gt:
      return a > b;
    case Relation::ge:
      return a >= b;
  }
}

template <class T, Relation kRelation, bool kOfNan>
void setp(Warp& w, const Instruction& i) {
  compare<T>(w, i, [](T a, T b) {
    const bool nan = kOfNan && (a != a || b != b);
    return nan || holds<kRelation>(a, b);
  });
}
template <class T>
void setp_num(Warp& w, const Instruction& i) {
  compare<T>(w, i, [](T a, T b) { return a == a && b == b; });
}
template <class T>
void setp_nan(Warp& w, const Instruction& i) {
  compare<T>(w, i, [](T a, T b) { return a != a || b != b; });
}

template <class T>
Handler ordered(std::string_view c) {
  if (c == "eq") return setp<T, Relation::eq, false>;
  if (c == "ne") return setp<T, Relation::ne, false>;
  if (c == "lt" || c == "lo") return setp<T, Relation::lt, false>;
  if (c == "le" || c == "ls") return setp<T, Relation::le, false>;
  if (c == "gt" || c == "hi") return setp<T, Relation::gt, false>;
  if (c == "ge" || c == "hs") return setp<T, Relation::ge, false>;
  return nullptr;
}
template <class T>
Handler of_float(std::string_view c) {
  if (c == "equ") return setp<T, Relation::eq, true>;
  if (c == "neu") return setp<T, Relation::ne, true>;
  if (c == "ltu") return setp<T, Relation::lt, true>;
  if (c == "leu") return setp<T, Relation::le, true>;
  if (c == "gtu") return setp<T, Relation::gt, true>;
  if (c == "geu") return setp<T, Relation::ge, true>;
  if (c == "num") return setp_num<T>;
  if (c == "nan") return setp_nan<T>;
  return ordered<T>(c);
}

}  // namespace

Handler compare_handler(const Opcode& op) {
  const std::string_view type = op.type();
  const std::string_view c = op.parts[0];
  if (type == "f32") return of_float<float>(c);
  if (type == "f64") return of_float<double>(c);
  const bool is_signed = type[0] == 's';
  switch (type_bytes(type)) {
    case 2:
      return is_signed ? ordered<std::int16_t>(c) : ordered<std::uint16_t>(c);
    case 4:
      return is_signed ? ordered<std::int32_t>(c) : ordered<std::uint32_t>(c);
    case 8:
      return is_signed ? ordered<std::int64_t>(c) : ordered<std::uint64_t>(c);
  }
  return nullptr;
}

}  // namespace ptx
