// Implements cvt. Registers may be wider than the types; i.from_bytes and i.to_bytes give the register
// widths.
#include "convert_ops.h"

#include <bit>
#include <cstring>

#include "float_ops.h"

namespace ptx {
namespace {

// Sign-extends or zero-extends a narrow integer to its register.
template <class D>
std::uint64_t register_bits(D value) {
  std::uint64_t bits = 0;
  if constexpr (kIsFloat<D>)
    std::memcpy(&bits, &value, sizeof value);
  else if constexpr (std::is_signed_v<D>)
    bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  else
    bits = value;
  return bits;
}

template <class D, class S, Round kRound, bool kSat, bool kFtz>
void cvt(Warp& w, const Instruction& i) {
  if constexpr (sizeof(S) > 1 && sizeof(D) > 1) {
    if (i.from_bytes == sizeof(S) && i.to_bytes == sizeof(D))
      return map1<D, S>(w, i, [](S x) { return converted<D, S, kRound, kSat>(flushed<kFtz>(x)); });
  }
  for (Slot l = 0; l < kLanes; ++l) {
    if (!w.lane[l]) continue;
    S x;
    std::memcpy(&x, w.at<char>(i.operand[1]) + l * i.from_bytes, sizeof x);
    const std::uint64_t bits = register_bits(converted<D, S, kRound, kSat>(flushed<kFtz>(x)));
    std::memcpy(w.at<char>(i.operand[0]) + l * i.to_bytes, &bits, i.to_bytes);
  }
}

// .rni, .rzi, .rmi and .rpi between equal float types round to a whole number.
template <class T, Round kRound, bool kSat>
void cvt_whole(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T x) { return saturated_float<kSat>(whole(x, kRound)); });
}

// Converts to TF32: 10 bits of fraction, ties away from zero. A NaN has the bits that hardware produces.
void cvt_tf32(Warp& w, const Instruction& i) {
  map1<std::uint32_t, std::uint32_t>(w, i, [](std::uint32_t x) {
    const bool special = (x & 0x7f800000u) == 0x7f800000u;
    const std::uint32_t kept = (x & 0x7fffffu) ? 0x7fffffffu : x;
    return special ? kept : (x + 0x1000u) & ~0x1fffu;
  });
}

// Converts to bfloat16: 7 bits of fraction, ties to even.
inline std::uint16_t to_bf16(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  return x != x ? 0x7fff : static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
void cvt_bf16(Warp& w, const Instruction& i) { map1<std::uint16_t, float>(w, i, to_bf16); }
void cvt_bf16x2(Warp& w, const Instruction& i) {  // the first operand becomes the upper half
  map2<std::uint32_t, float, float>(
      w, i, [](float a, float b) { return std::uint32_t(to_bf16(a)) << 16 | to_bf16(b); });
}
void cvt_from_bf16(Warp& w, const Instruction& i) {
  map1<float, std::uint16_t>(w, i,
                             [](std::uint16_t x) { return std::bit_cast<float>(std::uint32_t(x) << 16); });
}

Round round_of(const Opcode& op) {
  if (op.has("rz") || op.has("rzi")) return Round::zero;
  if (op.has("rm") || op.has("rmi")) return Round::down;
  if (op.has("rp") || op.has("rpi")) return Round::up;
  return Round::nearest;
}

template <template <Round> class Pick>
Handler by_round(Round r, bool sat, bool ftz) {
  switch (r) {
    case Round::nearest:
      return Pick<Round::nearest>::handler(sat, ftz);
    case Round::zero:
      return Pick<Round::zero>::handler(sat, ftz);
    case Round::down:
      return Pick<Round::down>::handler(sat, ftz);
    case Round::up:
      return Pick<Round::up>::handler(sat, ftz);
  }
  return nullptr;
}

template <class D, class S>
struct Convert {
  template <Round kRound>
  struct Pick {
    static Handler handler(bool sat, bool ftz) {
      if constexpr (std::is_same_v<S, float>)
        if (ftz) return sat ? cvt<D, S, kRound, true, true> : cvt<D, S, kRound, false, true>;
      return sat ? cvt<D, S, kRound, true, false> : cvt<D, S, kRound, false, false>;
    }
  };
};

template <class T>
struct Whole {
  template <Round kRound>
  struct Pick {
    static Handler handler(bool sat, bool) {
      return sat ? cvt_whole<T, kRound, true> : cvt_whole<T, kRound, false>;
    }
  };
};

template <class F>
Handler with_type(std::string_view t, const F& f) {
  if (t == "u8") return f(std::uint8_t{});
  if (t == "s8") return f(std::int8_t{});
  if (t == "u16") return f(std::uint16_t{});
  if (t == "s16") return f(std::int16_t{});
  if (t == "u32") return f(std::uint32_t{});
  if (t == "s32") return f(std::int32_t{});
  if (t == "u64") return f(std::uint64_t{});
  if (t == "s64") return f(std::int64_t{});
  if (t == "f32") return f(float{});
  if (t == "f64") return f(double{});
  return nullptr;
}

template <class D, class S>
Handler between(const Opcode& op) {
  const bool sat = op.has("sat");
  if constexpr (kIsFloat<D> || kIsFloat<S>)
    return by_round<Convert<D, S>::template Pick>(round_of(op), sat, op.has("ftz"));
  else
    return sat ? cvt<D, S, Round::nearest, true, false> : cvt<D, S, Round::nearest, false, false>;
}

}  // namespace

Handler convert_handler(const Opcode& op) {
  const std::string_view from = op.type();
  const std::string_view to = op.type(1);
  if (to == "tf32") return cvt_tf32;
  if (to == "bf16") return cvt_bf16;
  if (to == "bf16x2") return cvt_bf16x2;
  if (from == "bf16") return cvt_from_bf16;
  const bool to_whole = op.has("rni") || op.has("rzi") || op.has("rmi") || op.has("rpi");
  if (to_whole && from == to) {
    const bool sat = op.has("sat");
    return from == "f32" ? by_round<Whole<float>::Pick>(round_of(op), sat, false)
                         : by_round<Whole<double>::Pick>(round_of(op), sat, false);
  }
  return with_type(to, [&](auto d) {
    return with_type(from, [&](auto s) { return between<decltype(d), decltype(s)>(op); });
  });
}

}  // namespace ptx
