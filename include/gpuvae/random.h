// Where random numbers come from: a counter-based generator (Philox4x32-10), so that noise is a function of
// (seed, purpose, time, sample, dimension) and not of launch shape, thread, batch size or device.
#pragma once

#include <cstdint>

namespace gpuvae {

// What a stream of random numbers is for; part of the counter, so that uses never share numbers.
enum class RandomPurpose : std::uint32_t {
  initialization = 1,
  posterior_noise,   // epsilon of the training set
  validation_noise,  // epsilon of the validation set
  prior,
  binarization,
  likelihood,  // draws from p(x | z)
  test,
  importance,  // draws of q(z | x) for evaluation
};

// Training time. The step may live in device memory, so that a captured graph sees it advance.
struct Clock {
  std::uint64_t step = 0;                      // added to *device_step, if there is one
  const std::uint64_t* device_step = nullptr;  // in the memory of the device that runs the kernel
  std::uint64_t steps_per_epoch = 1;
};

// Which random numbers an operation draws for row r of a batch: those of sample `samples[r]` (or of
// `first_sample + r`) at the clock's epoch, or at time 0 if frozen.
struct Noise {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::posterior_noise;
  Clock clock = {};
  bool frozen = false;
  const std::int32_t* samples = nullptr;  // on the device; one per row
  std::uint32_t first_sample = 0;
};

}  // namespace gpuvae
