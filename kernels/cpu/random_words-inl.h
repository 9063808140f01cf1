// Philox for a vector of blocks at once. Included once per instruction set, as Highway's headers are.
#if defined(GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H
#undef GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H
#else
#define GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "kernels/math/philox.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A row's position in the random sequence, but for the block.
struct RandomPosition {
  std::uint64_t seed;
  RandomPurpose purpose;
  std::uint64_t time;
  std::uint32_t sample;
};

// Blocks that random_words() makes at a time: two vectors, whose chains of rounds overlap.
constexpr std::uint32_t kBlocks = 2 * HWY_LANES(std::uint64_t);

// random_block() for kBlocks blocks from `first` on; word w of block b is half w % 2 of pairs[2 b + w / 2],
// low half first. The counters are the low halves of 64-bit lanes; what gathers in the high halves is never
// read, for the multiplication takes low halves alone.
HWY_INLINE void random_words(const RandomPosition& at, std::uint32_t first, std::uint64_t* pairs) {
#if HWY_TARGET == HWY_SCALAR
  for (std::uint32_t i = 0; i < kBlocks; ++i) {
    const Philox4x32 bits = random_block(at.seed, at.purpose, at.time, at.sample, first + i);
    for (int j = 0; j < 2; ++j) pairs[2 * i + j] = std::uint64_t{bits.v[2 * j + 1]} << 32 | bits.v[2 * j];
  }
#else
  const hn::ScalableTag<std::uint64_t> d;
  const hn::Repartition<std::uint32_t, decltype(d)> d_half;
  using V = hn::Vec<decltype(d)>;
  const auto product = [=](V a, std::uint32_t b)
                           HWY_ATTR { return hn::MulEven(hn::BitCast(d_half, a), hn::Set(d_half, b)); };
  const std::uint32_t tag =
      static_cast<std::uint32_t>(at.purpose) << 24 | static_cast<std::uint32_t>(at.time >> 32);
  const V sample = hn::Set(d, at.sample), time = hn::Set(d, at.time), end = hn::Set(d, tag);
  V c0[] = {hn::Iota(d, first), hn::Iota(d, first + kBlocks / 2)};
  V c1[] = {sample, sample}, c2[] = {time, time}, c3[] = {end, end};
  std::uint32_t k0 = static_cast<std::uint32_t>(at.seed), k1 = static_cast<std::uint32_t>(at.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const V key0 = hn::Set(d, k0), key1 = hn::Set(d, k1);
    for (int i = 0; i < 2; ++i) {
      const V a = product(c0[i], 0xD2511F53u), b = product(c2[i], 0xCD9E8D57u);
      c0[i] = hn::Xor(hn::Xor(hn::ShiftRight<32>(b), c1[i]), key0);
      c2[i] = hn::Xor(hn::Xor(hn::ShiftRight<32>(a), c3[i]), key1);
      c1[i] = b;
      c3[i] = a;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const V low = hn::Set(d, 0xFFFFFFFFu);
  for (int i = 0; i < 2; ++i)
    hn::StoreInterleaved2(hn::Or(hn::And(c0[i], low), hn::ShiftLeft<32>(c1[i])),
                          hn::Or(hn::And(c2[i], low), hn::ShiftLeft<32>(c3[i])), d, pairs + i * kBlocks);
#endif
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
