#include "gpuvae/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/check.h"

namespace gpuvae {

double ConstantSchedule::operator()(std::uint64_t) const { return 1; }

double LinearWarmup::operator()(std::uint64_t step) const {
  if (step >= steps) return 1;
  return static_cast<double>(step + 1) / static_cast<double>(steps);
}

double StepDecay::operator()(std::uint64_t step) const {
  check(every > 0, "schedule", "expected a decay every 1 or more steps, got {}", every);
  check(decay > 0 && std::isfinite(decay), "schedule", "expected a decay above 0, got {}", decay);
  return std::pow(decay, static_cast<double>(step / every));
}

double CosineSchedule::operator()(std::uint64_t step) const {
  check(total_steps > warmup_steps, "schedule", "expected more than {} steps in total, got {}", warmup_steps,
        total_steps);
  check(final_factor >= 0 && final_factor <= 1, "schedule", "expected a final factor in [0, 1], got {}",
        final_factor);
  if (step < warmup_steps) return LinearWarmup{warmup_steps}(step);
  const double t = static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  return final_factor + (1 - final_factor) * (1 + std::cos(std::numbers::pi * std::min(1.0, t))) / 2;
}

double IwaeSchedule::operator()(std::uint64_t step) const {
  check(total_steps > 0, "schedule", "expected 1 or more steps in total, got 0");
  constexpr int kStages = 8;
  constexpr std::uint64_t kParts = 3280;  // 3^0 + ... + 3^7
  // The whole parts and the rest are multiplied separately, so that no product overflows.
  const std::uint64_t per_part = total_steps / kParts, rest = total_steps % kParts;
  int stage = 0;
  for (std::uint64_t parts = 1, stage_parts = 3; stage + 1 < kStages;
       parts += stage_parts, stage_parts *= 3) {
    const std::uint64_t first_of_next = per_part * parts + (rest * parts + kParts - 1) / kParts;
    if (step < first_of_next) break;
    ++stage;
  }
  return std::pow(10.0, -stage / 7.0);
}

}  // namespace gpuvae
