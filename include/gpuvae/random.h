// Random numbers come from a counter-based generator, Philox4x32-10 (Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", 2011). Noise is a function of (seed, purpose, time, sample, dimension). It does not
// depend on the launch configuration, the number of threads, the batch size or the device.
#pragma once

#include <cstdint>

#include "gpuvae/tensor.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// A position in a training run, counted in steps. The step may be in device memory, so that a captured graph
// reads its current value at each launch.
struct Clock {
  std::uint64_t step = 0;  // added to *device_step if that is defined
  // u8 [8], the bytes of a std::uint64_t in the memory of the device that runs the kernel; or undefined.
  Tensor device_step = {};
  std::uint64_t steps_per_epoch = 1;  // the epoch is step / steps_per_epoch
};

// Selects the random numbers that an operation draws. Row r of a batch gets those of sample `samples[r]`, or
// of sample `first_sample + r` if `samples` is undefined. Their time is the clock's epoch, or 0 if `frozen`
// is true.
struct Noise {
  std::uint64_t seed = 0;                                  // the run's seed
  RandomPurpose purpose = RandomPurpose::posterior_noise;  // separates different uses of one seed
  Clock clock = {};                                        // its epoch is the time of the noise
  bool frozen = false;                                     // whether every epoch has the same noise
  Tensor samples = {};  // i32 [rows] on the device that draws, such as Batch::samples; or undefined
  std::uint32_t first_sample = 0;  // sample of row 0 if `samples` is undefined
};

}  // namespace gpuvae
#pragma GCC visibility pop
