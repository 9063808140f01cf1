// Learning-rate schedules: functions of the training step. A schedule gives the factor by which the
// optimiser's learning rate is multiplied at a step, so that the same schedule fits every optimiser. The
// schedules below are plain values without state, so that a resumed run continues in the middle of one.
#pragma once

#include <cstdint>
#include <functional>

namespace gpuvae {

// The factor of a training step. Steps count from 0 over the whole run, across epochs. Any function of one's
// own that depends on the step alone is a schedule too. Factors are finite and 0 or more.
using LearningRateSchedule = std::function<double(std::uint64_t step)>;

// factor(step) = 1
struct ConstantSchedule {
  double operator()(std::uint64_t step) const;
};

// factor(step) = min(1, (step + 1) / steps): rises linearly and reaches 1 at step number `steps` - 1. With 0
// steps it is 1 throughout.
struct LinearWarmup {
  std::uint64_t steps = 0;
  double operator()(std::uint64_t step) const;
};

// factor(step) = decay^floor(step / every). Throws Error if `every` is 0 or `decay` is not above 0.
struct StepDecay {
  std::uint64_t every = 1;
  double decay = 0.1;
  double operator()(std::uint64_t step) const;
};

// During the first `warmup_steps` steps as LinearWarmup, then half a cosine from 1 down to `final_factor`
// (Loshchilov and Hutter, "SGDR", 2017):
//   t            = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
//   factor(step) = final_factor + (1 - final_factor) (1 + cos(pi t)) / 2
// From step number `total_steps` on it stays at `final_factor`. Throws Error if total_steps is not above
// warmup_steps, or if final_factor is outside [0, 1].
struct CosineSchedule {
  std::uint64_t total_steps = 1;
  std::uint64_t warmup_steps = 0;
  double final_factor = 0;
  double operator()(std::uint64_t step) const;
};

}  // namespace gpuvae
