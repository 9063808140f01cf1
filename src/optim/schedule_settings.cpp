#include "src/optim/schedule_settings.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace gpuvae {

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> kNames = {"constant", "step", "cosine", "iwae"};
  return kNames;
}

bool depends_on_epochs(const ScheduleSettings& s) { return s.name == "cosine" || s.name == "iwae"; }

LearningRateSchedule make_schedule(const ScheduleSettings& s, double learning_rate, int epochs,
                                   std::int64_t steps_per_epoch) {
  check(std::ranges::count(schedule_names(), s.name) == 1, "schedule",
        "expected constant, step, cosine or iwae, got {}", s.name);
  check(s.warmup_epochs >= 0, "schedule", "expected a warm-up of 0 or more epochs, got {}", s.warmup_epochs);
  // Longer durations than any run are limited, because llround() has no result for them.
  const auto steps = [=](double duration) {
    constexpr double kMaxSteps = 1e18;
    const double product = std::min(duration * static_cast<double>(steps_per_epoch), kMaxSteps);
    return static_cast<std::uint64_t>(std::llround(product));
  };
  const LinearWarmup warmup{steps(s.warmup_epochs)};
  if (s.name == "cosine") {
    check(s.final_rate >= 0 && s.final_rate <= learning_rate, "schedule",
          "expected a final learning rate from 0 to the learning rate {}, got {}", learning_rate,
          s.final_rate);
    const std::uint64_t total = std::max(steps(epochs), warmup.steps + 1);
    return CosineSchedule{
        .total_steps = total, .warmup_steps = warmup.steps, .final_factor = s.final_rate / learning_rate};
  }
  if (s.name == "iwae") {
    const IwaeSchedule stages{std::max<std::uint64_t>(1, steps(epochs))};
    return [=](std::uint64_t step) { return warmup(step) * stages(step); };
  }
  if (s.name == "step") {
    check(s.decay_epochs > 0, "schedule", "expected a number of epochs above 0 between decays, got {}",
          s.decay_epochs);
    const StepDecay decay{.every = std::max<std::uint64_t>(1, steps(s.decay_epochs)), .decay = s.decay_rate};
    return [=](std::uint64_t step) { return warmup(step) * decay(step); };
  }
  if (warmup.steps > 0) return warmup;
  return {};
}

}  // namespace gpuvae
