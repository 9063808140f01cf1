// How far the four kinds of product inside the fused step are from f64.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/math/philox.h"
#include "tests/unit/fused_product_kernels.h"

namespace gpuvae {
namespace {

enum How { ffma, split_tf32, tf32, bf16 };
constexpr int kDepth = 785;  // an MNIST image's, and one: no multiple of a step

struct DeviceFloats {
  explicit DeviceFloats(const std::vector<float>& values) {
    cudaMalloc(&data, values.size() * sizeof(float));
    cudaMemcpy(data, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
  }
  ~DeviceFloats() { cudaFree(data); }
  void* data = nullptr;
  float* get() const { return static_cast<float*>(data); }
};

// The largest error of the product of two tiles, relative to the factors' norms.
double error_of(How how, int tile, bool pixels) {
  std::vector<float> a, b, c(tile * tile);
  for (int i = 0; i < tile * kDepth; ++i) {
    const Philox4x32 bits = philox4x32(i, 1, 2, 3, 4);
    a.push_back(pixels ? static_cast<float>(bits.v[0] >> 24) : uniform01(bits.v[0]) - 0.5f);
    b.push_back(uniform01(bits.v[1]) - 0.5f);
  }
  const DeviceFloats on_a(a), on_b(b), on_c(c);
  const int multiply = how == ffma ? 0 : how == bf16 ? 2 : 1;
  const bool split = how == split_tf32;  // pixels are exact as they are
  kernels::fused_product(multiply, tile, on_a.get(), on_b.get(), on_c.get(), kDepth, split && !pixels, split);
  cudaMemcpy(c.data(), on_c.data, c.size() * sizeof(float), cudaMemcpyDeviceToHost);
  double most = 0;
  for (int m = 0; m < tile; ++m)
    for (int n = 0; n < tile; ++n) {
      double sum = 0, aa = 0, bb = 0;
      for (int k = 0; k < kDepth; ++k) {
        const double x = a[m * kDepth + k], y = b[n * kDepth + k];
        sum += x * y, aa += x * x, bb += y * y;
      }
      const double error = std::fabs(c[m * tile + n] - sum) / std::sqrt(aa * bb);
      most = std::isnan(error) ? INFINITY : std::max(most, error);
    }
  return most;
}

TEST(FusedProduct, SplitTf32IsAsGoodAsF32) {
  for (const int tile : {16, 32})
    for (const bool pixels : {false, true}) {
      const double f32 = error_of(ffma, tile, pixels), split = error_of(split_tf32, tile, pixels);
      const double plain = error_of(tf32, tile, pixels), brain = error_of(bf16, tile, pixels);
      std::printf("tile %d, %s: ffma %.2g, split TF32 %.2g, TF32 %.2g, bf16 %.2g\n", tile,
                  pixels ? "pixels" : "floats", f32, split, plain, brain);
      EXPECT_TRUE(f32 <= 3e-7) << f32;
      EXPECT_TRUE(split <= 3e-7) << split;
      EXPECT_TRUE(plain >= 1e-6 && plain <= 1e-3) << plain;
      EXPECT_TRUE(brain >= 1e-5 && brain <= 1e-2) << brain;
    }
}

}  // namespace
}  // namespace gpuvae
