// Random numbers come from a counter-based generator, Philox4x32-10 (Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", 2011): noise is a function of (seed, purpose, time, sample, dimension), and does not
// depend on launch shape, threads, batch size or device.
#pragma once

#include <cstdint>

namespace gpuvae {

// What random numbers are used for. The purpose is part of the counter, so that two uses never share numbers.
enum class RandomPurpose : std::uint32_t {
  initialization = 1,  // initial weights
  posterior_noise,     // epsilon of the training set
  validation_noise,    // epsilon of the validation set
  prior,               // draws from p(z)
  binarization,        // Binarize::fixed and dynamic
  likelihood,          // draws from p(x | z)
  test,                // for tests and programs
  importance,          // draws of q(z | x) for evaluation
};

// The time of training, in steps. The step may live in device memory, so that a captured graph reads it anew
// at each launch.
struct Clock {
  std::uint64_t step = 0;                      // added to *device_step, unless that is null
  const std::uint64_t* device_step = nullptr;  // in the memory of the device that runs the kernel
  std::uint64_t steps_per_epoch = 1;           // an epoch is step / steps_per_epoch
};

// Which random numbers an operation draws for row r of a batch: those of sample `samples[r]`, or of
// `first_sample + r` if `samples` is null, at the clock's epoch, or at time 0 if `frozen`.
struct Noise {
  std::uint64_t seed = 0;                                  // the run's seed
  RandomPurpose purpose = RandomPurpose::posterior_noise;  // separates uses of the same seed
  Clock clock = {};                                        // supplies the epoch
  bool frozen = false;                                     // the same noise in every epoch
  const std::int32_t* samples = nullptr;                   // [rows], in the memory of the device; or null
  std::uint32_t first_sample = 0;                          // sample of row 0 if `samples` is null
};

}  // namespace gpuvae
