// Sums of losses, weights that rise during training, and counters, all in device memory.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// totals[i] += weights[i] * *terms[i]. *bad_step receives the first step whose sum is not finite, counted
// from 1; it is 0 while all sums were finite. Finally, *advance grows by one, so that this call can end a
// step and count it.
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

// *out = height * min(1, step / steps), where the clock defines the step. This weight also rises while a
// graph is replayed.
struct RampArgs {
  DType dtype = DType::f32;
  double height = 1, steps = 1;
  Clock clock = {};
  void* out = nullptr;  // [1]

  double bytes() const { return size_in_bytes(dtype, 1) + 8; }
};

// *counter += by.
struct AdvanceArgs {
  std::uint64_t* counter = nullptr;
  std::uint64_t by = 1;

  double bytes() const { return 2 * sizeof *counter; }
};

}  // namespace gpuvae::kernels
