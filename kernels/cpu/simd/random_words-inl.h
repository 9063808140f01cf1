// Computes Philox for a vector of blocks at once. This file is included once per instruction set, like
// Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H
#undef GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H
#else
#define GPUVAE_KERNELS_CPU_RANDOM_WORDS_INL_H
#endif

#include <cstdint>

#include "gpuvae/device/random.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The part of a position in the random sequence that all samples and blocks share.
struct RandomPosition {
  std::uint64_t seed;
  RandomPurpose purpose;
  std::uint64_t time;
};

using Words = hn::Vec<hn::ScalableTag<std::uint32_t>>;

// The number of blocks that one call of random_words() computes.
constexpr std::int64_t kBlocks = HWY_LANES(std::uint32_t);

// Computes random_block() for the sample and the block of each lane. words[w] receives word w of all results.
HWY_INLINE void random_words(const RandomPosition& at, Words sample, Words block, Words (&words)[4]) {
#if HWY_TARGET == HWY_SCALAR
  const Philox4x32 bits = random_block(at.seed, at.purpose, at.time, hn::GetLane(sample), hn::GetLane(block));
  for (int w = 0; w < 4; ++w) words[w] = hn::Set(hn::ScalableTag<std::uint32_t>(), bits.v[w]);
#else
  // Even and odd lanes are processed as two vectors of 64-bit lanes, whose low halves hold the values, so
  // that the CPU can overlap the two dependency chains. The high halves are arbitrary, because the
  // multiplication reads only the low halves.
  const hn::ScalableTag<std::uint64_t> d;
  const hn::ScalableTag<std::uint32_t> d_half;
  using V = hn::Vec<decltype(d)>;
  const auto product = [=](V a, std::uint32_t b)
                           HWY_ATTR { return hn::MulEven(hn::BitCast(d_half, a), hn::Set(d_half, b)); };
  const std::uint32_t tag =
      static_cast<std::uint32_t>(at.purpose) << 24 | static_cast<std::uint32_t>(at.time >> 32);
  const V even_block = hn::BitCast(d, block), even_sample = hn::BitCast(d, sample);
  const V time = hn::Set(d, at.time), end = hn::Set(d, tag);
  V c0[] = {even_block, hn::ShiftRight<32>(even_block)},
    c1[] = {even_sample, hn::ShiftRight<32>(even_sample)};
  V c2[] = {time, time}, c3[] = {end, end};
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
  const auto together = [=](const V(&word)[2]) HWY_ATTR {
    return hn::OddEven(hn::BitCast(d_half, hn::ShiftLeft<32>(word[1])), hn::BitCast(d_half, word[0]));
  };
  words[0] = together(c0);
  words[1] = together(c1);
  words[2] = together(c2);
  words[3] = together(c3);
#endif
}

// Applies uniform01() to every word.
HWY_INLINE hn::Vec<hn::ScalableTag<float>> uniform_of(Words words) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> d_int;
  const auto bits = hn::BitCast(d_int, hn::ShiftRight<9>(words));
  return hn::Mul(hn::Add(hn::ConvertTo(d, bits), hn::Set(d, 0.5f)), hn::Set(d, 0x1p-23f));
}

// Stores number w of lane b at to[4 * b + w].
HWY_INLINE void store_blocks(const hn::Vec<hn::ScalableTag<float>> (&numbers)[4], float* to) {
  const hn::ScalableTag<float> d;
#if HWY_TARGET == HWY_SCALAR
  for (int w = 0; w < 4; ++w) hn::Store(numbers[w], d, to + w);
#else
  hn::StoreInterleaved4(numbers[0], numbers[1], numbers[2], numbers[3], d, to);
#endif
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
