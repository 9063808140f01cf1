// Random numbers.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// out[r, c] = low + (high - low) u, or mean + stddev n, where u (uniform in (0, 1)) or n (standard normal) is
// random number c of the sample of row r.
struct RandomArgs {
  DType dtype = DType::f32;
  bool normal = true;
  double a = 0, b = 1;  // (mean, stddev) or (low, high)
  std::int64_t rows = 0, columns = 0;
  Noise noise = {};
  void* out = nullptr;

  double bytes() const { return size_in_bytes(dtype, times(rows, columns)); }
};

// out[i] = mean + stddev n, or uniform in (low, high], drawn by cuRAND's Philox4x32-10 generator in cuRAND's
// order. The sequence depends only on `seed`, not on samples or steps.
struct CurandArgs {
  bool normal = true;
  double a = 0, b = 1;  // (mean, stddev) or (low, high)
  std::int64_t count = 0;
  std::uint64_t seed = 0;
  float* out = nullptr;

  double bytes() const { return 4 * static_cast<double>(count); }
};

}  // namespace gpuvae::kernels
