// Counter-based random numbers, for a kernel or a function of your own. A number depends only on its position
// (seed, purpose, time, sample, dimension) and never on the launch configuration or the thread. The CPU and
// the GPU draw the same bits. All functions are for the host and, under nvcc, also for the device.
#pragma once

#include <cmath>
#include <cstdint>

#include "gpuvae/device/host_device.h"
#include "gpuvae/enums.h"

namespace gpuvae {

// The four words that one call of Philox returns.
struct Philox4x32 {
  std::uint32_t v[4];  // 32 random bits each
};

// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. `key` is
// (k1 << 32 | k0) of the paper's key words k0 and k1.
GPUVAE_HD Philox4x32 philox4x32(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                                std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
    c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(b);
    c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(a);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Returns one block of the random sequence. The numbers of one (seed, purpose, time, sample) are indexed by
// dimension, four per block.
GPUVAE_HD Philox4x32 random_block(std::uint64_t seed, RandomPurpose purpose, std::uint64_t time,
                                  std::uint32_t sample, std::uint32_t block) {
  const std::uint32_t tag =
      static_cast<std::uint32_t>(purpose) << 24 | static_cast<std::uint32_t>(time >> 32);
  return philox4x32(block, sample, static_cast<std::uint32_t>(time), tag, seed);
}

// Returns a uniform number in (0, 1) from the upper 23 bits: the midpoint of one of 2^23 equal intervals, so
// that 0 and 1 are never drawn.
GPUVAE_HD float uniform01(std::uint32_t bits) { return (static_cast<float>(bits >> 9) + 0.5f) * 0x1p-23f; }

// Two independent standard normals.
struct Normal2 {
  float first;   // with the cosine of the angle
  float second;  // with its sine
};

// Returns two standard normals from two words of random bits, by the method of Box and Muller, "A note on the
// generation of random normal deviates", 1958. All numbers n satisfy |n| < 5.9.
GPUVAE_HD Normal2 box_muller(std::uint32_t a, std::uint32_t b) {
  const float radius = sqrtf(-2.0f * logf(uniform01(a)));
#ifdef __CUDA_ARCH__
  // sinf and cosf would add code for large angles, with an array in local memory, to every kernel that draws
  // noise.
  float sine = 0, cosine = 0;
  sincospif(2.0f * uniform01(b), &sine, &cosine);
  return {radius * cosine, radius * sine};
#else
  const float angle = 6.28318530717958647692f * uniform01(b);
  return {radius * cosf(angle), radius * sinf(angle)};
#endif
}

// Computes the standard normals 4 * block, ..., 4 * block + 3 of a position from the bits of its block.
GPUVAE_HD void normal4(const Philox4x32& bits, float out[4]) {
  const Normal2 low = box_muller(bits.v[0], bits.v[1]), high = box_muller(bits.v[2], bits.v[3]);
  out[0] = low.first;
  out[1] = low.second;
  out[2] = high.first;
  out[3] = high.second;
}

// Returns the standard normal of dimension `dimension` of a position.
GPUVAE_HD float normal_at(std::uint64_t seed, RandomPurpose purpose, std::uint64_t time, std::uint32_t sample,
                          std::uint32_t dimension) {
  float four[4];
  normal4(random_block(seed, purpose, time, sample, dimension / 4), four);
  return four[dimension % 4];
}

// Returns epsilon, the noise that the library adds to dimension `dimension` of the code of a training example
// (RandomPurpose::posterior_noise) in an epoch, up to rounding. `sample` is the example's number in
// its data set, and `seed` that of the run.
GPUVAE_HD float posterior_noise(std::uint64_t seed, std::uint64_t epoch, std::uint32_t sample,
                                std::uint32_t dimension) {
  return normal_at(seed, RandomPurpose::posterior_noise, epoch, sample, dimension);
}

// Returns element i of a pseudorandom permutation of 0, ..., n - 1. The function applies six Feistel rounds
// to numbers of the smallest even bit width that covers n, and repeats them until the value is below n (cycle
// walking: Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). Shuffling thus needs no
// table, and the order is the same on every device and for every batch size.
GPUVAE_HD std::uint32_t shuffled_index(std::uint32_t i, std::uint32_t n, std::uint64_t seed,
                                       std::uint64_t epoch) {
  int half = 1;
  while (half < 16 && (1ull << (2 * half)) < n) ++half;
  const std::uint32_t mask = (1u << half) - 1;
  const std::uint32_t k0 = static_cast<std::uint32_t>(seed) ^ static_cast<std::uint32_t>(epoch) * 0x9E3779B9u;
  const std::uint32_t k1 = static_cast<std::uint32_t>(seed >> 32) + static_cast<std::uint32_t>(epoch >> 32);
  do {
    std::uint32_t left = i >> half, right = i & mask;
    for (std::uint32_t round = 0; round < 6; ++round) {
      // The round function is the finaliser of MurmurHash3.
      std::uint32_t h = right + k0 + round * 0x85EBCA6Bu;
      h = (h ^ h >> 16) * 0x85EBCA6Bu;
      h = ((h ^ k1) ^ h >> 13) * 0xC2B2AE35u;
      h ^= h >> 16;
      const std::uint32_t next = left ^ (h & mask);
      left = right;
      right = next;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}

}  // namespace gpuvae
