// The state of a training run in device memory, where captured steps read and change it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gpuvae/tensor.h"
#include "kernels/backend.h"

namespace gpuvae {

// The sums of the loss terms of an epoch, the first step that was not finite (counted from 1; 0 if there is
// none), and the number of finished steps. With OnNan::skip, also the number of updates since the trainer was
// made, and the skipped steps of the epoch.
struct RunState {
  double sums[kernels::kMaxMetrics] = {};
  std::uint64_t bad_step = 0, step = 0, updates = 0;
  kernels::SkippedSteps skipped = {};
};

// Returns memory for a RunState on the device, without initialising it.
Tensor new_run_state(Device device);
void write_run_state(const Tensor& state, const RunState& value);
RunState read_run_state(const Tensor& state);  // waits for the current stream
// @{
// Return a counter in a RunState, for Clock::device_step.
Tensor step_counter(const Tensor& state);
Tensor update_counter(const Tensor& state);
// @}

}  // namespace gpuvae
