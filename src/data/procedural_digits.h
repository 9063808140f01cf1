// A built-in stand-in for MNIST: digits drawn stroke by stroke, in the same format.
#pragma once

#include <cstdint>
#include <vector>

namespace gpuvae::data {

struct Digits {
  std::vector<std::uint8_t> images;  // count x 28 x 28, row by row, 0 = background
  std::vector<std::uint8_t> labels;  // count, 0 to 9
};

// Indices of the two sets that the apps use.
inline constexpr std::int64_t kProceduralTrainingDigits = 60000;  // 0 ... 59,999
inline constexpr std::int64_t kProceduralTestDigits = 10000;      // 60,000 ... 69,999

// Digits first ... first + count - 1. Digit i is a pure function of i: the same bytes on every platform, for
// every `first` and number of threads. Like MNIST's, a digit fills a box of about 20 x 20 pixels, its larger
// side deciding, and has its centre of mass at pixel (14, 14). Throws Error if first or count is negative, or
// first + count overflows.
Digits make_procedural_digits(std::int64_t first, std::int64_t count);

}  // namespace gpuvae::data
