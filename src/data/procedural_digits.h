// A built-in replacement for MNIST: digits drawn stroke by stroke, in the same format.
#pragma once

#include <cstdint>
#include <vector>

namespace gpuvae::data {

struct Digits {
  std::vector<std::uint8_t> images;  // count x 28 x 28, row by row, 0 = background
  std::vector<std::uint8_t> labels;  // count, 0 to 9
};

// Sizes of the two sets that the apps use. The comments give the indices of their digits.
inline constexpr std::int64_t kProceduralTrainingDigits = 60000;  // 0 ... 59,999
inline constexpr std::int64_t kProceduralTestDigits = 10000;      // 60,000 ... 69,999

// Returns the digits first, ..., first + count - 1. Digit i is a pure function of i: its bytes are the same
// on every platform, for every `first` and any number of threads. As in MNIST, the larger side of a digit is
// about 20 pixels long, and its centre of mass is at pixel (14, 14). Throws Error if `first` or `count` is
// negative or if first + count overflows.
Digits make_procedural_digits(std::int64_t first, std::int64_t count);

}  // namespace gpuvae::data
