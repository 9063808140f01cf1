// Compares the four kinds of product inside the fused step with f64.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "gpuvae/device/random.h"
#include "tests/kernels/fused_product_kernels.h"

namespace gpuvae {
namespace {

enum How { ffma, tf32, split_tf32, bf16 };
// One more than the pixels of an MNIST image, so that the last step is incomplete.
constexpr int kDepth = 785;

struct DeviceFloats {
  explicit DeviceFloats(const std::vector<float>& values) {
    cudaMalloc(&data, values.size() * sizeof(float));
    cudaMemcpy(data, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
  }
  ~DeviceFloats() { cudaFree(data); }
  void* data = nullptr;
  float* get() const { return static_cast<float*>(data); }
};

// The factors of a product: each maps an element's index k and a random word to its value.
struct Factors {
  const char* name;
  std::function<float(int k, std::uint32_t word)> a, b;
  bool bytes_a = false;
};
float centred(std::uint32_t word) { return uniform01(word) - 0.5f; }
std::vector<Factors> kinds() {
  const auto noise = [](int, std::uint32_t w) { return centred(w); };
  return {
      {"floats", noise, noise},
      {"pixels", [](int, std::uint32_t w) { return static_cast<float>(w >> 24); }, noise, true},
      // Truncation errors do not average out in sums that only grow.
      {"all positive", [](int, std::uint32_t w) { return 0.5f + uniform01(w); },
       [](int, std::uint32_t w) { return 0.5f + uniform01(w); }},
      // The terms of the first half of a row are 1000 times larger. They cancel in pairs, except for small
      // random differences.
      {"cancellation",
       [](int k, std::uint32_t w) {
         return k < 384 ? (k % 2 ? -1000.0f : 1000.0f) * (1 + 0x1p-20f * centred(w)) : centred(w);
       },
       [](int k, std::uint32_t w) { return k < 384 ? 1.0f + 0x1p-20f * centred(w) : centred(w); }},
      // Exponents vary widely, so the largest term of a step dominates the others.
      {"many exponents",
       [](int, std::uint32_t w) { return std::ldexp(centred(w), static_cast<int>(w % 24) - 12); },
       [](int, std::uint32_t w) { return std::ldexp(centred(w), static_cast<int>(w % 24) - 12); }},
  };
}

struct Errors {
  double of_norms = 0, of_bound = 0;  // largest error, relative to the rows' norms and to the bound
};

Errors errors_of(How how, int tile, const Factors& factors, bool as_bytes) {
  std::vector<float> a, b, c(tile * tile);
  for (int i = 0; i < tile * kDepth; ++i) {
    const Philox4x32 bits = philox4x32(i, 1, 2, 3, 4);
    a.push_back(factors.a(i % kDepth, bits.v[0]));
    b.push_back(factors.b(i % kDepth, bits.v[1]));
  }
  const DeviceFloats on_a(a), on_b(b), on_c(c);
  const double bound =
      kernels::fused_product({how, tile, kDepth, on_a.get(), on_b.get(), on_c.get(), as_bytes, false});
  cudaMemcpy(c.data(), on_c.data, c.size() * sizeof(float), cudaMemcpyDeviceToHost);
  Errors most;
  for (int m = 0; m < tile; ++m)
    for (int n = 0; n < tile; ++n) {
      double sum = 0, absolute = 0, aa = 0, bb = 0;
      for (int k = 0; k < kDepth; ++k) {
        const double x = a[m * kDepth + k], y = b[n * kDepth + k];
        sum += x * y;
        absolute += std::fabs(x * y);
        aa += x * x;
        bb += y * y;
      }
      double error = std::fabs(c[m * tile + n] - sum);
      if (std::isnan(error)) error = INFINITY;
      most.of_norms = std::max(most.of_norms, error / std::sqrt(aa * bb));
      most.of_bound = std::max(most.of_bound, error / (bound * absolute));
    }
  return most;
}

// The bound holds for tensor cores that truncate as well as for exact ones.
TEST(FusedProduct, SplitTf32IsWithinItsBound) {
  for (const int tile : {16, 32})
    for (const Factors& factors : kinds()) {
      const Errors split = errors_of(split_tf32, tile, factors, factors.bytes_a);
      std::printf("tile %d, %s: %.2g of the bound\n", tile, factors.name, split.of_bound);
      EXPECT_TRUE(split.of_bound <= 1) << factors.name << ": " << split.of_bound;
      // A bound that is far too large would not detect a missing term, so plain TF32 must come closer to it.
      const Errors plain = errors_of(tf32, tile, factors, factors.bytes_a);
      EXPECT_TRUE(plain.of_bound > 4 * split.of_bound) << factors.name << ": " << plain.of_bound;
    }
}

TEST(FusedProduct, SplitTf32IsAsPreciseAsF32) {
  for (const int tile : {16, 32})
    for (const Factors& factors : kinds()) {
      const double f32 = errors_of(ffma, tile, factors, false).of_norms;
      const double split = errors_of(split_tf32, tile, factors, factors.bytes_a).of_norms;
      const double as_floats = errors_of(split_tf32, tile, factors, false).of_norms;
      std::printf("tile %d, %s: ffma %.2g, split TF32 %.2g\n", tile, factors.name, f32, split);
      EXPECT_TRUE(f32 <= 1e-6) << factors.name << ": " << f32;
      EXPECT_TRUE(split <= 3e-7) << factors.name << ": " << split;
      EXPECT_TRUE(as_floats <= 3e-7) << factors.name << ": " << as_floats;
    }
}

TEST(FusedProduct, Tf32AndBf16HaveTheirExpectedErrors) {
  for (const int tile : {16, 32})
    for (int kind = 0; kind < 2; ++kind) {
      const Factors factors = kinds()[kind];
      const double plain = errors_of(tf32, tile, factors, factors.bytes_a).of_norms;
      const double brain = errors_of(bf16, tile, factors, false).of_norms;
      EXPECT_TRUE(plain >= 1e-6 && plain <= 1e-3) << factors.name << ": " << plain;
      EXPECT_TRUE(brain >= 1e-5 && brain <= 1e-2) << factors.name << ": " << brain;
    }
}

}  // namespace
}  // namespace gpuvae
