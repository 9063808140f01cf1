// Random numbers come from a counter-based generator, Philox4x32-10 (Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", 2011): noise is a function of (seed, purpose, time, sample, dimension), and does not
// depend on launch shape, threads, batch size or device.
#pragma once

#include <cstdint>

#include "gpuvae/tensor.h"

namespace gpuvae {

// The time of training, in steps. The step may be in device memory, so that a captured graph reads its
// current value at each launch.
struct Clock {
  std::uint64_t step = 0;  // added to *device_step if that is defined
  // u8 [8], the bytes of a std::uint64_t in the memory of the device that runs the kernel; or undefined.
  Tensor device_step = {};
  std::uint64_t steps_per_epoch = 1;  // the epoch is step / steps_per_epoch
};

// The random numbers that an operation draws for row r of a batch. They are those of sample `samples[r]`, or
// of `first_sample + r` if `samples` is undefined, at the clock's epoch, or at time 0 if `frozen` is true.
struct Noise {
  std::uint64_t seed = 0;                                  // the run's seed
  RandomPurpose purpose = RandomPurpose::posterior_noise;  // separates different uses of one seed
  Clock clock = {};                                        // supplies the epoch
  bool frozen = false;                                     // the same noise in every epoch
  Tensor samples = {};  // i32 [rows] on the device that draws, such as Batch::samples; or undefined
  std::uint32_t first_sample = 0;  // sample of row 0 if `samples` is undefined
};

}  // namespace gpuvae
