// Tensors of given numbers, and the comparison of numbers, for tests of kernels.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gpuvae/tensor.h"

namespace gpuvae::test {

using Doubles = std::vector<double>;

// Returns a tensor of the numbers on `device`, which begins `offset` elements after the start of its memory.
inline Tensor place(const Doubles& numbers, Shape shape, Device device, std::int64_t offset = 0) {
  Doubles all(static_cast<std::size_t>(offset), 0.0);
  all.insert(all.end(), numbers.begin(), numbers.end());
  const auto size = static_cast<std::int64_t>(numbers.size());
  const Tensor memory = Tensor::from(all, {size + offset}).to(DType::f32).to(device);
  return offset == 0 ? memory.reshape(shape) : memory.slice(offset, size);
}

inline void expect_close_elements(const Doubles& got, const Doubles& expected, double tolerance,
                                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_TRUE(std::fabs(got[i] - expected[i]) <= tolerance * (1 + std::fabs(expected[i])))
        << what << ", element " << i << ": " << got[i] << ", expected " << expected[i];
}

}  // namespace gpuvae::test
