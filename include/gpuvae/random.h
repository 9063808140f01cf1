// Where random numbers come from: a counter-based generator (Philox4x32-10), so that noise is a function of
// (seed, purpose, time, sample, dimension) and not of launch shape, thread, batch size or device.
#pragma once

#include <cstdint>

#include "gpuvae/tensor.h"

namespace gpuvae {

// Training time. The step may live in device memory, so that a captured graph sees it advance.
struct Clock {
  std::uint64_t step = 0;
  // Or undefined: u8 [8], the bytes of a std::uint64_t that is added to `step` when a kernel runs, on its
  // device.
  Tensor device_step = {};
  std::uint64_t steps_per_epoch = 1;
};

// Which random numbers an operation draws for row r of a batch: those of sample `samples[r]` (or of
// `first_sample + r`) at the clock's epoch, or at time 0 if frozen.
struct Noise {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::posterior_noise;
  Clock clock = {};
  bool frozen = false;
  Tensor samples = {};  // i32 [rows] on the device that draws, such as Batch::samples; or undefined
  std::uint32_t first_sample = 0;
};

}  // namespace gpuvae
