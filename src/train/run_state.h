// What a training run keeps on the device, so that captured steps can read and change it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gpuvae/tensor.h"
#include "kernels/backend.h"

namespace gpuvae {

// The sums of the loss terms, the first step whose loss was not finite (counted from 1), and how many steps
// are done.
struct RunState {
  double sums[kernels::kMaxMetrics] = {};
  std::uint64_t bad_step = 0, step = 0;
};

// A RunState without values, as bytes on the device.
Tensor new_run_state(Device device);
void write_run_state(const Tensor& state, const RunState& value);
RunState read_run_state(const Tensor& state);  // waits for the current stream
// The part of a RunState that clocks read.
Tensor step_counter(const Tensor& state);

}  // namespace gpuvae
