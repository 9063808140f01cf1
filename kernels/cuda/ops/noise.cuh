// Device functions for Clock and Noise: the number of finished steps and the random numbers of a row.
#pragma once

#include "gpuvae/device/random.h"
#include "kernels/cuda/device.cuh"

namespace gpuvae::kernels {
namespace {

__device__ __forceinline__ std::uint64_t finished_steps(const Clock& clock) {
  return clock.step + (clock.device_step ? *clock.device_step : 0);
}

__device__ __forceinline__ std::uint64_t steps_per_epoch(const Clock& clock) {
  return clock.steps_per_epoch ? clock.steps_per_epoch : 1;
}

__device__ __forceinline__ std::uint64_t noise_time(const Noise& noise) {
  return noise.frozen ? 0 : finished_steps(noise.clock) / steps_per_epoch(noise.clock);
}

// Returns the random bits of the columns column, ..., column + 3 of a row. `column` must be a multiple of
// four.
__device__ __forceinline__ Philox4x32 noise_bits(const Noise& noise, std::uint64_t time, std::int64_t row,
                                                 std::int64_t column) {
  const std::uint32_t sample = noise.samples ? static_cast<std::uint32_t>(noise.samples[row])
                                             : noise.first_sample + static_cast<std::uint32_t>(row);
  return random_block(noise.seed, noise.purpose, time, sample, static_cast<std::uint32_t>(column / 4));
}

__device__ __forceinline__ Floats<4> noise_normals(const Noise& noise, std::uint64_t time, std::int64_t row,
                                                   std::int64_t column) {
  Floats<4> normals;
  normal4(noise_bits(noise, time, row, column), normals.v);
  return normals;
}

}  // namespace
}  // namespace gpuvae::kernels
