#include "apps/cli/run_config.h"

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

void RunConfig::set_gaussian_mean(GaussianMean mean) {
  gaussian_mean = mean;
  if (mean != GaussianMean::automatic) distributions.gaussian.sigmoid_mean = mean == GaussianMean::sigmoid;
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
  o.keep_best = save_best;
  o.schedule = learning_rate_schedule(steps_per_epoch(o, training_images));
  if (log_every > 0) {
    o.report_steps = log_every;
    o.report_seconds = 0;
  }
  return o;
}

LearningRateSchedule RunConfig::learning_rate_schedule(std::int64_t steps_per_epoch) const {
  return make_schedule(schedule, optimizer.learning_rate, epochs, steps_per_epoch);
}

}  // namespace gpuvae::apps
