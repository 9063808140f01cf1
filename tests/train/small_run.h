// A small model, small data sets, and a comparison of losses, for tests of training.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "gpuvae/train.h"

namespace gpuvae::test {

// A model of 16 features with one hidden layer of 8 units.
inline VaeOptions small_model() {
  VaeOptions o;
  o.features = 16;
  o.encoder_widths = {8};
  return o;
}

// Images of bytes that differ from image to image.
inline Dataset byte_images(std::int64_t count, Device device, int height = 4, int width = 4) {
  const std::int64_t pixels = std::int64_t{height} * width;
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count * pixels; ++i)
    bytes.push_back(static_cast<std::uint8_t>(i * i * 7 / 16));
  return {height, width, Tensor::from(bytes, {count, pixels}, device), {}};
}

// The numbers of all parameters, one after another.
inline std::vector<float> parameters_of(const Vae& model) {
  std::vector<float> all;
  for (const Parameter& p : model.parameters())
    for (const float v : p.variable.value().to_vector()) all.push_back(v);
  return all;
}

inline void expect_same_losses(const Losses& a, const Losses& b) {
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.reconstruction, b.reconstruction);
  EXPECT_EQ(a.kl, b.kl);
}

}  // namespace gpuvae::test
