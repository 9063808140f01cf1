// Random numbers for the built-in data sets. They are computed from integers only, so that they are the same
// on every platform.
#pragma once

#include <cstdint>

#include "gpuvae/device/random.h"

namespace gpuvae::data {

// The sequence of random numbers for item `index` of the data set `key`.
class Draws {
 public:
  Draws(std::uint64_t key, std::uint64_t index) : key_(key), index_(index) {}

  std::uint32_t bits() {
    if (used_ == 4) {
      block_ = philox4x32(next_block_++, static_cast<std::uint32_t>(index_),
                          static_cast<std::uint32_t>(index_ >> 32), 0, key_);
      used_ = 0;
    }
    return block_.v[used_++];
  }
  int below(int n) {
    return static_cast<int>(static_cast<std::uint64_t>(bits()) * static_cast<std::uint64_t>(n) >> 32);
  }
  float uniform() { return static_cast<float>(bits() >> 8) * 0x1p-24f; }
  // Returns an approximately standard normal number n with |n| < 3.46: the centred and scaled sum of four
  // random bytes. This sum needs no logarithm.
  float normal() {
    const std::uint32_t b = bits();
    const int sum = static_cast<int>((b & 255) + (b >> 8 & 255) + (b >> 16 & 255) + (b >> 24));
    return static_cast<float>(sum - 510) * (1.0f / 147.8f);
  }

 private:
  std::uint64_t key_, index_;
  std::uint32_t next_block_ = 0;
  int used_ = 4;
  Philox4x32 block_{};
};

}  // namespace gpuvae::data
