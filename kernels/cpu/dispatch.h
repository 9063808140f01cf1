// Helpers that convert the void pointers of kernel arguments to float or double pointers and read clocks and
// noise.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gpuvae/types.h"
#include "kernels/check.h"
#include "kernels/noise.h"

namespace gpuvae::kernels {

// Calls body(T()) with T = float or double according to `dtype`. Throws Error for any other dtype.
template <class Body>
void with_float(DType dtype, const char* operation, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body(float());
    case DType::f64:
      return body(double());
    default:
      fail(operation, "expected f32 or f64, got {}", name(dtype));
  }
}

template <class T>
const T* as(const void* pointer) {
  return static_cast<const T*>(pointer);
}
template <class T>
T* as(void* pointer) {
  return static_cast<T*>(pointer);
}
// Returns the scalar at `pointer`, or `otherwise` if the pointer is null.
template <class T>
T value_or(const void* pointer, T otherwise) {
  return pointer ? *as<T>(pointer) : otherwise;
}

// Returns the step of a clock: the host's count, plus the device's count if there is one.
inline std::uint64_t step_of(const Clock& clock) {
  return clock.step + (clock.device_step ? *clock.device_step : 0);
}
inline std::uint64_t epoch_of(const Clock& clock) {
  return step_of(clock) / std::max<std::uint64_t>(1, clock.steps_per_epoch);
}

// time_of() and sample_of() return the position of a row's numbers in the random sequence
// (gpuvae/device/random.h). The time is the epoch, or 0 for frozen noise.
inline std::uint64_t time_of(const Noise& noise) { return noise.frozen ? 0 : epoch_of(noise.clock); }
inline std::uint32_t sample_of(const Noise& noise, std::int64_t row) {
  return noise.samples ? static_cast<std::uint32_t>(noise.samples[row])
                       : noise.first_sample + static_cast<std::uint32_t>(row);
}

}  // namespace gpuvae::kernels
