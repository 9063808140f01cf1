#include "apps/cli/run_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gpuvae::apps {

std::optional<CheckpointInterval> parse_checkpoint_interval(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number > 0 && number <= 1e6)) return std::nullopt;
  const std::string unit(end, text.data() + text.size());
  if (unit == "s") return CheckpointInterval{.seconds = number};
  if (unit == "min") return CheckpointInterval{.seconds = 60 * number};
  if (unit == "h") return CheckpointInterval{.seconds = 3600 * number};
  if ((unit == "epoch" || unit == "epochs") && number == std::floor(number))
    return CheckpointInterval{.epochs = static_cast<int>(number)};
  return std::nullopt;
}

VaeOptions RunConfig::vae_options(std::int64_t features) const {
  VaeOptions o = model;
  o.features = features;
  set_distributions(distributions, o, "model");
  o.initializer.seed = seed;
  return o;
}

TrainOptions RunConfig::train_options(std::int64_t training_images) const {
  TrainOptions o = training;
  o.data.seed = seed;
  o.schedule = learning_rate_schedule(steps_per_epoch(o, training_images));
  if (log_every > 0) {
    o.report_steps = log_every;
    o.report_seconds = 0;
  }
  return o;
}

LearningRateSchedule RunConfig::learning_rate_schedule(std::int64_t steps_per_epoch) const {
  // Longer durations than any run are limited, because llround() has no result for them.
  const auto steps = [=](double epochs) {
    constexpr double kMaxSteps = 1e18;
    const double product = std::min(epochs * static_cast<double>(steps_per_epoch), kMaxSteps);
    return static_cast<std::uint64_t>(std::llround(product));
  };
  const LinearWarmup warmup{steps(schedule.warmup_epochs)};
  if (schedule.name == "cosine") {
    const std::uint64_t total = std::max(steps(epochs), warmup.steps + 1);
    return CosineSchedule{.total_steps = total, .warmup_steps = warmup.steps};
  }
  if (schedule.name == "step") {
    const StepDecay decay{.every = std::max<std::uint64_t>(1, steps(schedule.decay_epochs)),
                          .decay = schedule.decay_rate};
    return [=](std::uint64_t step) { return warmup(step) * decay(step); };
  }
  if (warmup.steps > 0) return warmup;
  return {};
}

}  // namespace gpuvae::apps
