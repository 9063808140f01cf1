// Integers, bits, moves and selections.
#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>

#include "machine.h"

namespace ptx {
namespace {

using std::int16_t, std::int32_t, std::int64_t, std::uint16_t, std::uint32_t, std::uint64_t, std::uint8_t;
template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
struct Twice;
template <>
struct Twice<uint16_t> {
  using type = uint32_t;
};
template <>
struct Twice<int16_t> {
  using type = int32_t;
};
template <>
struct Twice<uint32_t> {
  using type = uint64_t;
};
template <>
struct Twice<int32_t> {
  using type = int64_t;
};
template <>
struct Twice<uint64_t> {
  using type = unsigned __int128;
};
template <>
struct Twice<int64_t> {
  using type = __int128;
};
template <class T>
constexpr uint32_t kBits = 8 * sizeof(T);

template <class T>
T wrapped(Unsigned<T> x) {
  return static_cast<T>(x);
}
template <class T>
T high_product(T a, T b) {
  return static_cast<T>(static_cast<typename Twice<T>::type>(a) * b >> kBits<T>);
}
// By zero: what hardware returns. The smallest number by -1 wraps.
template <class T>
T quotient(T a, T b) {
  if (b == 0) return static_cast<T>(~T(0));
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return wrapped<T>(Unsigned<T>(0) - static_cast<Unsigned<T>>(a));
  return static_cast<T>(a / b);
}
template <class T>
T remainder(T a, T b) {
  if (b == 0) return a;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return 0;
  return static_cast<T>(a % b);
}

template <class T>
void add(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return wrapped<T>(Unsigned<T>(a) + Unsigned<T>(b)); });
}
template <class T>
void sub(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return wrapped<T>(Unsigned<T>(a) - Unsigned<T>(b)); });
}
template <class T>
void mul_lo(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i,
                [](T a, T b) { return wrapped<T>(static_cast<Unsigned<T>>(uint64_t(a) * uint64_t(b))); });
}
template <class T>
void mul_hi(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return high_product(a, b); });
}
template <class T>
void mul_wide(Warp& w, const Instruction& i) {
  using W = typename Twice<T>::type;
  if constexpr (sizeof(T) < 8)
    map2<W, T, T>(w, i, [](T a, T b) { return static_cast<W>(static_cast<W>(a) * static_cast<W>(b)); });
}
template <class T>
void mad_lo(Warp& w, const Instruction& i) {
  map3<T, T, T>(w, i, [](T a, T b, T c) {
    return wrapped<T>(static_cast<Unsigned<T>>(uint64_t(a) * uint64_t(b) + uint64_t(c)));
  });
}
template <class T>
void mad_hi(Warp& w, const Instruction& i) {
  map3<T, T, T>(w, i, [](T a, T b, T c) {
    return wrapped<T>(static_cast<Unsigned<T>>(high_product(a, b)) + static_cast<Unsigned<T>>(c));
  });
}
template <class T>
void mad_wide(Warp& w, const Instruction& i) {
  using W = typename Twice<T>::type;
  if constexpr (sizeof(T) < 8)
    map3<W, T, W>(w, i, [](T a, T b, W c) {
      return wrapped<W>(Unsigned<W>(static_cast<W>(a) * static_cast<W>(b)) + Unsigned<W>(c));
    });
}
template <class T>
void div(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return quotient(a, b); });
}
template <class T>
void rem(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return remainder(a, b); });
}
template <class T>
void min(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return a < b ? a : b; });
}
template <class T>
void max(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return a > b ? a : b; });
}
template <class T>
void neg(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return wrapped<T>(Unsigned<T>(0) - Unsigned<T>(a)); });
}
template <class T>
void abs(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return a < 0 ? wrapped<T>(Unsigned<T>(0) - Unsigned<T>(a)) : a; });
}
template <class T>
void and_(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return static_cast<T>(a & b); });
}
template <class T>
void or_(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return static_cast<T>(a | b); });
}
template <class T>
void xor_(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return static_cast<T>(a ^ b); });
}
template <class T>
void not_(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return static_cast<T>(~a); });
}
template <class T>
void mov(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return a; });
}
// Shifts by the width or more give 0, or the sign.
template <class T>
void shl(Warp& w, const Instruction& i) {
  map2<T, T, uint32_t>(w, i, [](T a, uint32_t n) {
    return n < kBits<T> ? static_cast<T>(Unsigned<T>(a) << (n & (kBits<T> - 1))) : T(0);
  });
}
template <class T>
void shr(Warp& w, const Instruction& i) {
  map2<T, T, uint32_t>(w, i, [](T a, uint32_t n) {
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(a >> (n < kBits<T> ? n : kBits<T> - 1));
    else
      return n < kBits<T> ? static_cast<T>(a >> (n & (kBits<T> - 1))) : T(0);
  });
}
template <class T>
void bfe(Warp& w, const Instruction& i) {
  const uint32_t* c = w.at<uint32_t>(i.operand[3]);
  T* d = w.at<T>(i.operand[0]);
  const T* a = w.at<T>(i.operand[1]);
  const uint32_t* b = w.at<uint32_t>(i.operand[2]);
  for (Slot l = 0; l < kLanes; ++l) {
    if (!w.lane[l]) continue;
    const uint32_t at = b[l] & 255, length = c[l] & 255;
    T r = 0;
    for (uint32_t k = 0; k < kBits<T>; ++k) {  // past the field or the number: 0, or its sign
      const uint32_t from = std::is_signed_v<T> ? std::min({at + k, at + length - 1, kBits<T> - 1}) : at + k;
      const bool inside = std::is_signed_v<T> ? length > 0 : k < length && from < kBits<T>;
      if (inside && (Unsigned<T>(a[l]) >> from & 1))
        r = static_cast<T>(r | static_cast<T>(Unsigned<T>(1) << k));
    }
    d[l] = r;
  }
}
template <class T>
void bfi(Warp& w, const Instruction& i) {  // a into b, at c, d bits
  T* out = w.at<T>(i.operand[0]);
  const T *a = w.at<T>(i.operand[1]), *b = w.at<T>(i.operand[2]);
  const uint32_t *c = w.at<uint32_t>(i.operand[3]), *d = w.at<uint32_t>(i.operand[4]);
  for (Slot l = 0; l < kLanes; ++l) {
    if (!w.lane[l]) continue;
    const uint32_t at = c[l] & 255, length = d[l] & 255;
    const T ones = length >= kBits<T> ? static_cast<T>(~T(0)) : static_cast<T>((T(1) << length) - 1);
    const T mask = at >= kBits<T> ? T(0) : static_cast<T>(ones << at);
    out[l] = static_cast<T>((b[l] & ~mask) | (at >= kBits<T> ? T(0) : (a[l] << at) & mask));
  }
}
template <class T>
void popc(Warp& w, const Instruction& i) {
  map1<uint32_t, T>(w, i, [](T a) { return static_cast<uint32_t>(std::popcount(a)); });
}
template <class T>
void clz(Warp& w, const Instruction& i) {
  map1<uint32_t, T>(w, i, [](T a) { return static_cast<uint32_t>(std::countl_zero(a)); });
}
template <class T>
void brev(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) {
    T r = 0;
    for (uint32_t k = 0; k < kBits<T>; ++k) r = static_cast<T>(r << 1 | (a >> k & 1));
    return r;
  });
}
void lop3(Warp& w, const Instruction& i) {
  const uint32_t table = w.at<uint32_t>(i.operand[4])[0];
  map3<uint32_t, uint32_t, uint32_t>(w, i, [=](uint32_t a, uint32_t b, uint32_t c) {
    uint32_t r = 0;
    for (uint32_t k = 0; k < 8; ++k)
      if (table >> k & 1) r |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
    return r;
  });
}
template <bool kLeft, bool kWrap>
void shf(Warp& w, const Instruction& i) {
  map3<uint32_t, uint32_t, uint32_t>(w, i, [](uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t n = kWrap ? c & 31 : std::min(c, 32u);
    const uint64_t both = uint64_t(b) << 32 | a;
    return static_cast<uint32_t>(kLeft ? both << n >> 32 : both >> n);
  });
}
void prmt(Warp& w, const Instruction& i) {
  map3<uint32_t, uint32_t, uint32_t>(w, i, [](uint32_t a, uint32_t b, uint32_t c) {
    const uint64_t both = uint64_t(b) << 32 | a;
    uint32_t r = 0;
    for (uint32_t k = 0; k < 4; ++k) {
      const uint32_t pick = c >> 4 * k & 15;
      uint32_t byte = static_cast<uint32_t>(both >> 8 * (pick & 7)) & 255;
      if (pick & 8) byte = byte & 128 ? 255 : 0;
      r |= byte << 8 * k;
    }
    return r;
  });
}

template <class T>
void selp(Warp& w, const Instruction& i) {
  T* d = w.at<T>(i.operand[0]);
  const T *a = w.at<T>(i.operand[1]), *b = w.at<T>(i.operand[2]);
  const uint32_t p = w.predicate(i.operand[3]), active = w.active;
#pragma GCC ivdep
  for (Slot l = 0; l < kLanes; ++l) {
    const T r = bit(p, l) ? a[l] : b[l];
    d[l] = bit(active, l) ? r : d[l];
  }
}

// Predicates are masks.
template <class F>
void logic(Warp& w, const Instruction& i, F f) {
  uint32_t& d = w.predicate(i.operand[0]);
  d = (d & ~w.active) | (f(w.predicate(i.operand[1]), w.predicate(i.operand[2])) & w.active);
}
void and_pred(Warp& w, const Instruction& i) {
  logic(w, i, [](uint32_t a, uint32_t b) { return a & b; });
}
void or_pred(Warp& w, const Instruction& i) {
  logic(w, i, [](uint32_t a, uint32_t b) { return a | b; });
}
void xor_pred(Warp& w, const Instruction& i) {
  logic(w, i, [](uint32_t a, uint32_t b) { return a ^ b; });
}
void not_pred(Warp& w, const Instruction& i) {
  uint32_t& d = w.predicate(i.operand[0]);
  d = (d & ~w.active) | (~w.predicate(i.operand[1]) & w.active);
}
void mov_pred(Warp& w, const Instruction& i) {
  uint32_t& d = w.predicate(i.operand[0]);
  d = (d & ~w.active) | (w.predicate(i.operand[1]) & w.active);
}

template <class S, class U>
Handler arithmetic(const Opcode& op, bool is_signed) {
  const std::string_view b = op.base;
  const auto pick = [=](Handler s, Handler u) { return is_signed ? s : u; };
  if (b == "add") return add<U>;
  if (b == "sub") return sub<U>;
  if (b == "mul" || b == "mad") {
    const bool mul = b == "mul";
    if (op.has("wide")) return mul ? pick(mul_wide<S>, mul_wide<U>) : pick(mad_wide<S>, mad_wide<U>);
    if (op.has("hi")) return mul ? pick(mul_hi<S>, mul_hi<U>) : pick(mad_hi<S>, mad_hi<U>);
    return mul ? mul_lo<U> : mad_lo<U>;
  }
  if (b == "div") return pick(div<S>, div<U>);
  if (b == "rem") return pick(rem<S>, rem<U>);
  if (b == "min") return pick(min<S>, min<U>);
  if (b == "max") return pick(max<S>, max<U>);
  if (b == "neg") return neg<U>;
  if (b == "abs") return abs<S>;
  if (b == "and") return and_<U>;
  if (b == "or") return or_<U>;
  if (b == "xor") return xor_<U>;
  if (b == "not") return not_<U>;
  if (b == "mov" || b == "cvta") return mov<U>;
  if (b == "shl") return shl<U>;
  if (b == "shr") return pick(shr<S>, shr<U>);
  if (b == "selp") return selp<U>;
  if (b == "popc") return popc<U>;
  if (b == "clz") return clz<U>;
  if (b == "brev") return brev<U>;
  if (b == "bfe") return pick(bfe<S>, bfe<U>);
  if (b == "bfi") return bfi<U>;
  return nullptr;
}

}  // namespace

Handler integer_handler(const Opcode& op) {
  const std::string_view type = op.type(), b = op.base;
  if (op.has("sat") || op.has("cc")) return nullptr;
  if (b == "lop3") return lop3;
  if (b == "prmt" && type == "b32" && op.parts.size() == 1) return prmt;
  if (b == "shf")
    return op.has("l") ? (op.has("wrap") ? shf<true, true> : shf<true, false>)
                       : (op.has("wrap") ? shf<false, true> : shf<false, false>);
  if (type == "pred")
    return b == "and"   ? and_pred
           : b == "or"  ? or_pred
           : b == "xor" ? xor_pred
           : b == "not" ? not_pred
           : b == "mov" ? mov_pred
                        : nullptr;
  if (type.empty()) return nullptr;
  const bool is_signed = type[0] == 's', any = b == "mov" || b == "selp" || b == "cvta";
  if (type[0] == 'f' && !any) return nullptr;
  switch (type_bytes(type)) {
    case 2:
      return arithmetic<int16_t, uint16_t>(op, is_signed);
    case 4:
      return arithmetic<int32_t, uint32_t>(op, is_signed);
    case 8:
      return arithmetic<int64_t, uint64_t>(op, is_signed);
  }
  return nullptr;
}

}  // namespace ptx
