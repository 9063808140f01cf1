// Simple, independent implementations of Philox and Box-Muller in doubles, for comparison with the library.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "gpuvae/random.h"

namespace gpuvae::cases {

using Words = std::array<std::uint32_t, 4>;

// Salmon et al., 2011, figure 4: ten rounds of two multiplications.
inline Words reference_philox(Words c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const auto product = [](std::uint32_t a, std::uint32_t b) { return static_cast<std::uint64_t>(a) * b; };
    const std::uint64_t p0 = product(0xD2511F53u, c[0]), p1 = product(0xCD9E8D57u, c[2]);
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return c;
}

inline Words reference_words(std::uint64_t seed, RandomPurpose purpose, std::uint64_t time,
                             std::uint32_t sample, std::uint32_t dimension) {
  const auto low = static_cast<std::uint32_t>(time), high = static_cast<std::uint32_t>(time >> 32);
  return reference_philox({dimension / 4, sample, low, (static_cast<std::uint32_t>(purpose) << 24) + high},
                          {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

inline double reference_uniform(std::uint32_t word) { return ((word / 512) + 0.5) / 8388608.0; }

inline double reference_normal(std::uint64_t seed, RandomPurpose purpose, std::uint64_t time,
                               std::uint32_t sample, std::uint32_t dimension) {
  const Words w = reference_words(seed, purpose, time, sample, dimension);
  const std::uint32_t pair = dimension % 4 / 2 * 2;
  const double radius = std::sqrt(-2 * std::log(reference_uniform(w[pair])));
  const double angle = 2 * M_PI * reference_uniform(w[pair + 1]);
  return radius * (dimension % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

}  // namespace gpuvae::cases
