// Clocks and noise for kernels. They have the same members as the structs in gpuvae/random.h, with pointers
// instead of tensors.
#pragma once

#include <cstdint>

#include "gpuvae/types.h"

namespace gpuvae::kernels {

struct Clock {
  std::uint64_t step = 0;                      // the clock's step is this number plus *device_step
  const std::uint64_t* device_step = nullptr;  // in the memory of the device that runs the kernel; or null
  std::uint64_t steps_per_epoch = 1;
};

struct Noise {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::posterior_noise;
  Clock clock = {};
  bool frozen = false;
  const std::int32_t* samples = nullptr;  // [rows] in device memory, or null
  std::uint32_t first_sample = 0;
};

}  // namespace gpuvae::kernels
