#include "src/core/random.h"

#include "kernels/check.h"

namespace gpuvae {

kernels::Clock kernel_clock(const char* operation, const Clock& clock, Device device) {
  const Tensor& step = clock.device_step;
  if (!step) return {clock.step, nullptr, clock.steps_per_epoch};
  const auto address = reinterpret_cast<std::uintptr_t>(step.data());
  check(step.dtype() == DType::u8 && step.elements() == sizeof(std::uint64_t) && step.device() == device &&
            address % alignof(std::uint64_t) == 0,
        operation, "expected device_step to be u8[8] on {}, aligned to 8 bytes, got {}", device, step);
  return {clock.step, static_cast<const std::uint64_t*>(step.data()), clock.steps_per_epoch};
}

kernels::Noise kernel_noise(const char* operation, const Noise& noise, std::int64_t rows, Device device) {
  const Tensor& samples = noise.samples;
  check(
      !samples || (samples.dtype() == DType::i32 && samples.elements() == rows && samples.device() == device),
      operation, "expected samples of i32[{}] on {}, got {}", rows, device, samples);
  return {noise.seed,
          noise.purpose,
          kernel_clock(operation, noise.clock, device),
          noise.frozen,
          samples ? samples.data_as<std::int32_t>() : nullptr,
          noise.first_sample};
}

}  // namespace gpuvae
