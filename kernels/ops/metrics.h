// Sums of losses, weights that rise, and counters, all in the memory of the device.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// totals[i] += weights[i] * *terms[i]. The first step whose sum is not finite is kept in *bad_step (counted
// from 1; 0 while all were). Then *advance grows by one: a step that ends with this call counts itself.
inline constexpr int kMaxMetrics = 4;
struct MetricsArgs {
  DType dtype = DType::f32;
  int count = 0;
  const void* terms[kMaxMetrics] = {};
  double weights[kMaxMetrics] = {};
  Clock clock = {};
  double* totals = nullptr;
  std::uint64_t* bad_step = nullptr;
  std::uint64_t* advance = nullptr;  // or null; may be the clock's device_step

  double bytes() const { return size_in_bytes(dtype, 5 * static_cast<double>(count)); }
};

// *out = height * min(1, step / steps), with the clock's step: a weight that rises while a graph is replayed.
struct RampArgs {
  DType dtype = DType::f32;
  double height = 1, steps = 1;
  Clock clock = {};
  void* out = nullptr;  // [1]

  double bytes() const { return size_in_bytes(dtype, 1) + 8; }
};

// *counter += by
struct AdvanceArgs {
  std::uint64_t* counter = nullptr;
  std::uint64_t by = 1;

  double bytes() const { return 2 * sizeof *counter; }
};

}  // namespace gpuvae::kernels
