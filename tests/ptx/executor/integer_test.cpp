// Compares integer and bit operations with __int128 and with bit-by-bit definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "test_kernels.h"

namespace ptx {
namespace {

using Wide = __int128;
using std::int32_t, std::int64_t, std::uint32_t, std::uint64_t;

template <class T>
std::vector<T> integer_numbers() {
  std::vector<T> x = {0,
                      1,
                      2,
                      7,
                      std::numeric_limits<T>::max(),
                      std::numeric_limits<T>::min(),
                      static_cast<T>(-1),
                      static_cast<T>(std::numeric_limits<T>::max() - 1)};
  std::mt19937_64 random(11);
  for (int n = 0; n < 24; ++n) x.push_back(static_cast<T>(random() >> random() % (8 * sizeof(T))));
  return x;
}

// Compares an opcode with f, which is computed without overflow and then wrapped to D.
template <class D, class T>
void check(const std::string& opcode, const std::function<Wide(Wide, Wide, Wide)>& f) {
  const auto [a, b] = pairs(integer_numbers<T>());
  std::vector<D> c(a.size());
  for (std::size_t n = 0; n < c.size(); ++n) c[n] = static_cast<D>(integer_numbers<D>()[n % 32]);
  const bool three = opcode.starts_with("mad");
  const auto got = evaluate<D>(opcode + (three ? " %d, %a0, %a1, %a2;" : " %d, %a0, %a1;"), a, b, c);
  for (std::size_t n = 0; n < a.size(); ++n)
    ASSERT_EQ(got[n], static_cast<D>(f(a[n], b[n], c[n]))) << opcode << " of pair " << n;
}

template <class T>
void check_type(const std::string& type, const std::string& wide) {
  constexpr int kBits = 8 * sizeof(T);
  check<T, T>("add." + type, [](Wide a, Wide b, Wide) { return a + b; });
  check<T, T>("sub." + type, [](Wide a, Wide b, Wide) { return a - b; });
  check<T, T>("mul.lo." + type, [](Wide a, Wide b, Wide) { return a * b; });
  check<T, T>("mul.hi." + type, [](Wide a, Wide b, Wide) { return a * b >> kBits; });
  check<T, T>("mad.lo." + type, [](Wide a, Wide b, Wide c) { return a * b + c; });
  check<T, T>("mad.hi." + type, [](Wide a, Wide b, Wide c) { return (a * b >> kBits) + c; });
  check<T, T>("min." + type, [](Wide a, Wide b, Wide) { return std::min(a, b); });
  check<T, T>("max." + type, [](Wide a, Wide b, Wide) { return std::max(a, b); });
  check<T, T>("div." + type, [](Wide a, Wide b, Wide) { return b == 0 ? Wide(-1) : a / b; });
  check<T, T>("rem." + type, [](Wide a, Wide b, Wide) { return b == 0 ? a : a % b; });
  if (wide.empty()) return;
  using D = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  check<D, T>("mul.wide." + type, [](Wide a, Wide b, Wide) { return a * b; });
  check<D, T>("mad.wide." + type, [](Wide a, Wide b, Wide c) { return a * b + c; });
}

TEST(PtxInteger, Arithmetic) {
  check_type<int32_t>("s32", "s64");
  check_type<uint32_t>("u32", "u64");
  check_type<int64_t>("s64", "");
  check<uint64_t, uint64_t>("add.u64", [](Wide a, Wide b, Wide) { return a + b; });
  check<uint64_t, uint64_t>("mul.hi.u64", [](Wide a, Wide b, Wide) {
    return static_cast<Wide>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b) >> 64);
  });
  check<std::uint16_t, std::uint16_t>("mul.lo.u16", [](Wide a, Wide b, Wide) { return a * b; });
  check<uint32_t, std::uint16_t>("mul.wide.u16", [](Wide a, Wide b, Wide) { return a * b; });
}

TEST(PtxInteger, NegationAndAbsoluteValue) {
  const std::vector<int32_t> x = integer_numbers<int32_t>();
  const auto negated = evaluate<int32_t>("neg.s32 %d, %a0;", x);
  const auto absolute = evaluate<int32_t>("abs.s32 %d, %a0;", x);
  for (std::size_t n = 0; n < x.size(); ++n) {
    EXPECT_EQ(negated[n], static_cast<int32_t>(-Wide(x[n])));
    EXPECT_EQ(absolute[n], static_cast<int32_t>(x[n] < 0 ? -Wide(x[n]) : Wide(x[n])));
  }
}

template <class T>
void check_shifts(const std::string& type, const std::string& bits) {
  const std::vector<uint32_t> amounts = {0, 1, 15, 16, 31, 32, 33, 63, 64, 65, 255, 256, ~0u};
  for (const uint32_t amount : amounts) {
    const std::vector<T> x = integer_numbers<T>();
    const std::vector<uint32_t> n(x.size(), amount);
    const auto left = evaluate<T>("shl." + bits + " %d, %a0, %a1;", x, n);
    const auto right = evaluate<T>("shr." + type + " %d, %a0, %a1;", x, n);
    const int shift = static_cast<int>(std::min(amount, 64u));
    for (std::size_t k = 0; k < x.size(); ++k) {
      EXPECT_EQ(left[k], static_cast<T>(static_cast<unsigned __int128>(x[k]) << shift)) << amount;
      EXPECT_EQ(right[k], static_cast<T>(Wide(x[k]) >> shift)) << type << " " << amount;
    }
  }
}

TEST(PtxInteger, ShiftsByTheWidthOrMoreGiveZeroOrTheSign) {
  check_shifts<int32_t>("s32", "b32");
  check_shifts<uint32_t>("u32", "b32");
  check_shifts<int64_t>("s64", "b64");
  check_shifts<uint64_t>("u64", "b64");
  check_shifts<std::uint16_t>("u16", "b16");
}

TEST(PtxInteger, FunnelShifts) {
  const auto one = [](const char* opcode, uint32_t a, uint32_t b, uint32_t n) {
    return evaluate<uint32_t>(std::string(opcode) + " %d, %a0, %a1, %a2;", std::vector{a}, std::vector{b},
                              std::vector{n})[0];
  };
  const uint32_t a = 0x89abcdef, b = 0x01234567;
  EXPECT_EQ(one("shf.l.wrap.b32", a, b, 8), 0x23456789u);
  EXPECT_EQ(one("shf.l.wrap.b32", a, b, 40), 0x23456789u);
  EXPECT_EQ(one("shf.l.clamp.b32", a, b, 40), a);
  EXPECT_EQ(one("shf.l.clamp.b32", a, b, 0), b);
  EXPECT_EQ(one("shf.r.wrap.b32", a, b, 8), 0x6789abcdu);
  EXPECT_EQ(one("shf.r.wrap.b32", a, b, 32), a);
  EXPECT_EQ(one("shf.r.clamp.b32", a, b, 32), b);
  EXPECT_EQ(one("shf.r.clamp.b32", a, b, 99), b);
}

TEST(PtxInteger, PermutesBytes) {
  const std::vector<uint32_t> a(4, 0x83726150), b(4, 0xf7e6d5c4), c = {0x7531, 0x0000, 0xbf8c, 0x3210};
  const std::vector<uint32_t> expected = {0xf7d58361, 0x50505050, 0xffff00ff, 0x83726150};
  EXPECT_EQ(evaluate<uint32_t>("prmt.b32 %d, %a0, %a1, %a2;", a, b, c), expected);
}

// Implements the manual's definition bit by bit.
template <class T>
T extract_bits(T a, unsigned at, unsigned length) {
  constexpr unsigned kMax = 8 * sizeof(T) - 1;
  const auto bit = [&](unsigned k) { return k <= kMax && (static_cast<uint64_t>(a) >> k & 1); };
  const bool sign = std::is_signed_v<T> && length > 0 && bit(std::min(at + length - 1, kMax));
  uint64_t d = 0;
  for (unsigned k = 0; k <= kMax; ++k) d |= uint64_t(k < length && at + k <= kMax ? bit(at + k) : sign) << k;
  return static_cast<T>(d);
}
template <class T>
T insert_bits(T a, T b, unsigned at, unsigned length) {
  for (unsigned k = 0; k < length && at + k < 8 * sizeof(T); ++k) {
    const T one = static_cast<T>(T(1) << (at + k));
    b = static_cast<T>((a >> k & 1) ? b | one : b & ~one);
  }
  return b;
}

template <class T>
void check_fields(const std::string& extract, const std::string& insert) {
  for (const uint32_t at : {0u, 1u, 7u, 31u, 32u, 40u, 63u, 200u, 256u + 4})
    for (const uint32_t length : {0u, 1u, 8u, 31u, 32u, 33u, 64u, 255u, 256u + 3}) {
      const std::vector<T> a = integer_numbers<T>();
      std::vector<T> b(a.rbegin(), a.rend());
      const std::vector<uint32_t> from(a.size(), at), bits(a.size(), length);
      const auto field = evaluate<T>(extract + " %d, %a0, %a1, %a2;", a, from, bits);
      const auto joined = evaluate<T>(insert + " %d, %a0, %a1, %a2, %a3;", a, b, from, bits);
      for (std::size_t n = 0; n < a.size(); ++n) {
        EXPECT_EQ(field[n], extract_bits(a[n], at & 255, length & 255))
            << extract << " " << at << " " << length;
        EXPECT_EQ(joined[n], insert_bits(a[n], b[n], at & 255, length & 255)) << at << " " << length;
      }
    }
}

TEST(PtxInteger, BitFields) {
  check_fields<int32_t>("bfe.s32", "bfi.b32");
  check_fields<uint32_t>("bfe.u32", "bfi.b32");
  check_fields<int64_t>("bfe.s64", "bfi.b64");
  check_fields<uint64_t>("bfe.u64", "bfi.b64");
}

TEST(PtxInteger, CountsAndReversesBits) {
  const std::vector<uint32_t> x = {0, 1, 0x80000000, 0xffffffff, 0x00f0000d};
  EXPECT_EQ(evaluate<uint32_t>("popc.b32 %d, %a0;", x), (std::vector<uint32_t>{0, 1, 1, 32, 7}));
  EXPECT_EQ(evaluate<uint32_t>("clz.b32 %d, %a0;", x), (std::vector<uint32_t>{32, 31, 0, 0, 8}));
  EXPECT_EQ(evaluate<uint32_t>("brev.b32 %d, %a0;", x),
            (std::vector<uint32_t>{0, 0x80000000, 1, 0xffffffff, 0xb0000f00}));
}

TEST(PtxInteger, Logic) {
  const std::vector<uint32_t> a = {0xf0}, b = {0xcc}, c = {0xaa};
  for (uint32_t table = 0; table < 256; table += 5) {  // with these inputs, the result equals the table
    const auto got =
        evaluate<uint32_t>("lop3.b32 %d, %a0, %a1, %a2, " + std::to_string(table) + ";", a, b, c);
    EXPECT_EQ(got[0] & 0xff, table);
  }
  EXPECT_EQ(evaluate<uint32_t>("not.b32 %d, %a0; and.b32 %d, %d, %a1; xor.b32 %d, %d, %a2;", a, b, c)[0],
            ((~0xf0u & 0xccu) ^ 0xaau));
}

TEST(PtxInteger, ComparisonsAndPredicates) {
  const std::vector<uint32_t> a = {1, 0xffffffff, 5, 5}, b = {2, 1, 5, 4};
  const auto test = [&](const std::string& body) {
    return evaluate<uint32_t>(body + " selp.u32 %d, 1, 0, %q0;", a, b);
  };
  EXPECT_EQ(test("setp.lt.u32 %q0, %a0, %a1;"), (std::vector<uint32_t>{1, 0, 0, 0}));
  EXPECT_EQ(test("setp.lt.s32 %q0, %a0, %a1;"), (std::vector<uint32_t>{1, 1, 0, 0}));
  EXPECT_EQ(test("setp.hs.u32 %q0, %a0, %a1;"), (std::vector<uint32_t>{0, 1, 1, 1}));
  EXPECT_EQ(test("setp.eq.s32 %q1, %a0, %a1; not.pred %q0, %q1;"), (std::vector<uint32_t>{1, 1, 0, 1}));
  EXPECT_EQ(test("setp.gt.u32 %q1, %a0, 4; setp.le.and.u32 %q0, %a0, %a1, %q1;"),
            (std::vector<uint32_t>{0, 0, 1, 0}));
  EXPECT_EQ(test("setp.gt.u32 %q1, %a0, 4; setp.le.or.u32 %q2|%q0, %a0, %a1, !%q1;"),
            (std::vector<uint32_t>{1, 1, 0, 1}));
}

}  // namespace
}  // namespace ptx
