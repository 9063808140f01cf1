// Clocks and noise for kernels. They have the same members as the structs in gpuvae/random.h, with pointers
// instead of tensors.
#pragma once

#include <cstdint>

#include "gpuvae/enums.h"

namespace gpuvae::kernels {

struct Clock {
  std::uint64_t step = 0;                      // added to *device_step, if there is one
  const std::uint64_t* device_step = nullptr;  // in the memory of the device that runs the kernel
  std::uint64_t steps_per_epoch = 1;
};

struct Noise {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::posterior_noise;
  Clock clock = {};
  bool frozen = false;
  const std::int32_t* samples = nullptr;  // null, or one per row in device memory
  std::uint32_t first_sample = 0;
};

}  // namespace gpuvae::kernels
