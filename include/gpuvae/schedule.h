// Learning-rate schedules. A schedule maps a training step to the factor by which the optimiser's learning
// rate is multiplied, so the same schedule fits every optimiser. The schedules below have no state, so a
// resumed run can continue in the middle of a schedule.
#pragma once

#include <cstdint>
#include <functional>

#include "gpuvae/language.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The factor for a training step. Steps count from 0 over the whole run, across epochs. Any function that
// depends only on the step can serve as a schedule, if its factors are finite and not negative.
using LearningRateSchedule = std::function<double(std::uint64_t step)>;

// The constant schedule: factor(step) = 1.
struct ConstantSchedule {
  double operator()(std::uint64_t step) const;  // the factor
};

// Linear warm-up: factor(step) = min(1, (step + 1) / steps), which reaches 1 at step number `steps` - 1. If
// `steps` is 0, the factor is always 1.
struct LinearWarmup {
  std::uint64_t steps = 0;                      // length of the warm-up
  double operator()(std::uint64_t step) const;  // the factor
};

// Step decay: factor(step) = decay^floor(step / every). Throws Error if `every` is 0 or `decay` is not above
// 0.
struct StepDecay {
  std::uint64_t every = 1;                      // steps between decays
  double decay = 0.1;                           // factor by which each decay multiplies
  double operator()(std::uint64_t step) const;  // the factor
};

// LinearWarmup during the first `warmup_steps` steps, then half a cosine from 1 down to `final_factor`
// (Loshchilov and Hutter, "SGDR", 2017):
//   t            = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
//   factor(step) = final_factor + (1 - final_factor) (1 + cos(pi t)) / 2
// From step number `total_steps` on, the factor stays at `final_factor`. Throws Error if total_steps is not
// above warmup_steps, or if final_factor is outside [0, 1].
struct CosineSchedule {
  std::uint64_t total_steps = 1;                // steps of the run, including the warm-up
  std::uint64_t warmup_steps = 0;               // steps of the warm-up
  double final_factor = 0;                      // factor at the end
  double operator()(std::uint64_t step) const;  // the factor
};

// The schedule of importance weighted autoencoders (Burda et al., 2016): eight stages i = 0, ..., 7 with
//   factor(step) = 10^(-i / 7),
// of which stage i takes 3^i of the 3,280 parts of `total_steps` steps. With 3,280 epochs, a part is an
// epoch, as in the paper, whose learning rate is 0.001. From step number `total_steps` on, the factor stays
// 0.1. Throws Error if total_steps is 0.
struct IwaeSchedule {
  std::uint64_t total_steps = 3280;             // steps of the run
  double operator()(std::uint64_t step) const;  // the factor
};

}  // namespace gpuvae
#pragma GCC visibility pop
