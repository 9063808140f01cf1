// Running sums of losses, a weight that rises during warm-up, and step counters, all in device memory.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// The steps of an epoch that made no update, because a loss or the gradient was not finite, and their images.
struct SkippedSteps {
  std::uint64_t steps = 0, images = 0;
};

// totals[i] += weights[i] * *terms[i]. *bad_step, which is 0 at first, receives the number (from 1) of the
// first step whose weighted sum of terms is not finite. Finally *advance is incremented, so that this kernel
// can also count the step.
//
// If the step's update was guarded (OptimizerArgs::guarded), `gradient_scale` says whether it was made. A
// step without an update is a bad step. With `skipped`, it is counted there instead and adds nothing to the
// totals.
inline constexpr int kMaxMetrics = 4;
struct MetricsArgs {
  DType dtype = DType::f32;
  int count = 0;
  const void* terms[kMaxMetrics] = {};
  double weights[kMaxMetrics] = {};
  Clock clock = {};
  double* totals = nullptr;
  std::uint64_t* bad_step = nullptr;
  std::uint64_t* advance = nullptr;      // or null; may be the clock's device_step
  const void* gradient_scale = nullptr;  // [1]; or null for a step without a guard
  SkippedSteps* skipped = nullptr;       // or null
  std::uint64_t images = 0;              // of this step, for *skipped
  std::uint64_t* updates = nullptr;      // or null; incremented if an update was made

  double bytes() const { return size_in_bytes(dtype, 5 * static_cast<double>(count)); }
};

// *out = height * min(1, step / steps), where step is the clock's. If the clock is in device memory, the
// value also rises from one launch of a captured graph to the next.
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
