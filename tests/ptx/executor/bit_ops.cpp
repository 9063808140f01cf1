// Bit operations: logic, shifts, bit fields, permutations of bytes.
#include <algorithm>
#include <bit>
#include <type_traits>

#include "machine.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

template <class T>
constexpr uint32_t kBits = 8 * sizeof(T);

template <class T>
void bit_and(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return static_cast<T>(a & b); });
}
template <class T>
void bit_or(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return static_cast<T>(a | b); });
}
template <class T>
void bit_xor(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return static_cast<T>(a ^ b); });
}
template <class T>
void bit_not(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return static_cast<T>(~a); });
}

// A shift by the width or more gives 0, or copies of the sign bit.
template <class T>
void shl(Warp& w, const Instruction& i) {
  map2<T, T, uint32_t>(
      w, i, [](T a, uint32_t n) { return n < kBits<T> ? static_cast<T>(a << (n & (kBits<T> - 1))) : T(0); });
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
T field_mask(uint32_t length) {
  return length >= kBits<T> ? static_cast<T>(~T(0)) : static_cast<T>((T(1) << length) - 1);
}

// Returns `length` bits of `a`, starting at bit `at`. Bits beyond the field or the number are 0 for unsigned
// types. For signed types they repeat the sign, which is the highest bit of the field inside the number.
template <class T>
T extracted(T a, uint32_t at, uint32_t length) {
  using U = std::make_unsigned_t<T>;
  if (length == 0) return 0;
  const U bits = at < kBits<T> ? static_cast<U>(static_cast<U>(a) >> at) : U(0);
  const uint32_t last = std::min(at + length - 1, kBits<T> - 1);
  const bool negative = std::is_signed_v<T> && (static_cast<U>(a) >> last & 1) != 0;
  const U mask = at < kBits<T> ? field_mask<U>(std::min(length, kBits<T> - at)) : U(0);
  return static_cast<T>(negative ? bits | static_cast<U>(~mask) : bits & mask);
}

template <class T>
void bfe(Warp& w, const Instruction& i) {  // d, a, position, length
  T* d = w.at<T>(i.operand[0]);
  const T* a = w.at<T>(i.operand[1]);
  const uint32_t* at = w.at<uint32_t>(i.operand[2]);
  const uint32_t* length = w.at<uint32_t>(i.operand[3]);
  for (Slot l = 0; l < kLanes; ++l)
    if (w.lane[l]) d[l] = extracted<T>(a[l], at[l] & 255, length[l] & 255);
}

template <class T>
void bfi(Warp& w, const Instruction& i) {  // d, field, into, position, length
  T* d = w.at<T>(i.operand[0]);
  const T* field = w.at<T>(i.operand[1]);
  const T* into = w.at<T>(i.operand[2]);
  const uint32_t* position = w.at<uint32_t>(i.operand[3]);
  const uint32_t* length = w.at<uint32_t>(i.operand[4]);
  for (Slot l = 0; l < kLanes; ++l) {
    if (!w.lane[l]) continue;
    const uint32_t at = position[l] & 255;
    const T mask = at < kBits<T> ? static_cast<T>(field_mask<T>(length[l] & 255) << at) : T(0);
    const T shifted = at < kBits<T> ? static_cast<T>(field[l] << at) : T(0);
    d[l] = static_cast<T>((into[l] & ~mask) | (shifted & mask));
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

// Bit k of the table is the result where the bits of a, b and c form the binary number k (a is highest).
void lop3(Warp& w, const Instruction& i) {
  const uint32_t table = w.at<uint32_t>(i.operand[4])[0];
  map3<uint32_t, uint32_t, uint32_t>(w, i, [=](uint32_t a, uint32_t b, uint32_t c) {
    uint32_t r = 0;
    for (uint32_t k = 0; k < 8; ++k)
      if (table >> k & 1) r |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
    return r;
  });
}

// Shifts the 64 bits b:a by c, which wraps or is clamped, and returns the upper half (left) or the lower half
// (right).
template <bool kLeft, bool kWrap>
void shf(Warp& w, const Instruction& i) {
  map3<uint32_t, uint32_t, uint32_t>(w, i, [](uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t n = kWrap ? c & 31 : std::min(c, 32u);
    const uint64_t both = uint64_t(b) << 32 | a;
    return static_cast<uint32_t>(kLeft ? both << n >> 32 : both >> n);
  });
}

// Each digit of c selects a byte of b:a; if bit 3 of the digit is set, the byte's sign fills the result byte.
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

template <class S, class U>
Handler operation_by_name(const Opcode& op) {
  const std::string_view b = op.base;
  const bool is_signed = op.type()[0] == 's';
  if (b == "and") return bit_and<U>;
  if (b == "or") return bit_or<U>;
  if (b == "xor") return bit_xor<U>;
  if (b == "not") return bit_not<U>;
  if (b == "shl") return shl<U>;
  if (b == "shr") return is_signed ? shr<S> : shr<U>;
  if (b == "popc") return popc<U>;
  if (b == "clz") return clz<U>;
  if (b == "brev") return brev<U>;
  if (b == "bfe") return is_signed ? bfe<S> : bfe<U>;
  if (b == "bfi") return bfi<U>;
  return nullptr;
}

}  // namespace

Handler bit_handler(const Opcode& op) {
  if (op.type() == "pred") return nullptr;
  if (op.base == "lop3") return lop3;
  if (op.base == "prmt") return prmt;
  if (op.base == "shf" && op.has("l")) return op.has("wrap") ? shf<true, true> : shf<true, false>;
  if (op.base == "shf") return op.has("wrap") ? shf<false, true> : shf<false, false>;
  switch (type_bytes(op.type())) {
    case 2:
      return operation_by_name<std::int16_t, std::uint16_t>(op);
    case 4:
      return operation_by_name<std::int32_t, uint32_t>(op);
    case 8:
      return operation_by_name<std::int64_t, uint64_t>(op);
  }
  return nullptr;
}

}  // namespace ptx
