// The trainer's losses: sums over an epoch in device memory, means for callbacks, and evaluation.
#include <algorithm>
#include <cmath>

#include "gpuvae/train.h"
#include "kernels/check.h"
#include "kernels/log.h"
#include "kernels/ranges.h"
#include "src/train/autograd_step.h"
#include "src/train/run_state.h"

namespace gpuvae {

Trainer::Sums Trainer::read_sums() {
  const std::uint64_t steps = step_in_epoch() == 0 ? steps_per_epoch_ : step_in_epoch();
  const RunState totals = read_run_state(state_);
  read_ = step_;
  count_updates(totals);
  // Without a guard, a gradient that is not finite shows in the loss of the next step.
  const bool finite_losses = std::isfinite(totals.sums[0] + totals.sums[1] + totals.sums[2]);
  check(totals.bad_step == 0, Origin("train", ErrorKind::not_finite),
        "the {} is not finite at step {} (epoch {}, step {} of {})", finite_losses ? "gradient" : "loss",
        totals.bad_step, (totals.bad_step - 1) / steps_per_epoch_ + 1,
        (totals.bad_step - 1) % steps_per_epoch_ + 1, steps_per_epoch_);
  check(epoch_skipped_ < steps_per_epoch_, Origin("train", ErrorKind::not_finite),
        "all {} steps of epoch {} were skipped, because their loss or gradient is not finite",
        steps_per_epoch_, (step_ - 1) / steps_per_epoch_ + 1);
  const Sums sums{totals.sums[0], totals.sums[1], totals.sums[2],
                  images_after(steps) - static_cast<std::int64_t>(epoch_skipped_images_)};
  add_to_means(sums);
  return sums;
}

// With OnNan::skip, only the device knows how many of the steps made an update.
void Trainer::count_updates(const RunState& totals) {
  if (!skips()) return;
  optimizer_.count(totals.updates - updates_read_);
  updates_read_ = totals.updates;
  if (totals.skipped.steps > epoch_skipped_)
    log_message(LogLevel::warning, "train",
                "{} steps of epoch {} skipped so far, because they are not finite", totals.skipped.steps,
                (std::max<std::uint64_t>(step_, 1) - 1) / steps_per_epoch_ + 1);
  epoch_skipped_ = totals.skipped.steps;
  epoch_skipped_images_ = totals.skipped.images;
}

// Adds the epoch's losses since the last call to the sums from which callbacks and run_steps() get their
// means.
void Trainer::add_to_means(const Sums& epoch) {
  const auto add = [&](Sums& to) {
    to.reconstruction += epoch.reconstruction - seen_.reconstruction;
    to.kl += epoch.kl - seen_.kl;
    to.objective += epoch.objective - seen_.objective;
    to.images += epoch.images - seen_.images;
  };
  add(of_call_);
  for (StepWatch& watch : step_callbacks_) add(watch.since_report);
  seen_ = epoch;
}

Losses Trainer::mean_of(const Sums& sums) const {
  const double n = static_cast<double>(std::max<std::int64_t>(1, sums.images));
  const double reconstruction = sums.reconstruction / n, kl = sums.kl / n;
  const bool weighted = options_.objective.is_importance_weighted();
  return {weighted ? sums.objective / n : reconstruction + options_.beta * kl, reconstruction, kl};
}

Losses Trainer::evaluate(const Dataset& images) {
  Losses losses;
  with_weights(ModelWeights::evaluated,
               [&] { losses = evaluate_in(step_ / steps_per_epoch_, images, options_.beta); });
  return losses;
}

// The noise depends on the epoch of training, so that it changes from epoch to epoch, like that of training.
// Where epochs are compared, it stays the same, so that the best epoch is not the one with lucky noise.
Losses Trainer::evaluate_in(std::uint64_t epoch, const Dataset& images, double kl_weight) {
  const kernels::Range range("evaluate");
  const NoGradGuard no_grad;
  const Vae model = model_.for_evaluation();
  const Tensor totals = new_run_state(model_.device());
  write_run_state(totals, {});
  TrainOptions options = options_;
  options.beta = kl_weight;
  const std::int64_t rows = std::max<std::int64_t>(1, options_.validation_batch / options_.objective.draws());
  const auto batches = static_cast<std::uint64_t>((images.count() + rows - 1) / rows);
  BatchOptions in_order = options_.data;
  in_order.shuffle = false;
  // Another seed, so that the random binarization of image i differs from that of image i of the training
  // set.
  in_order.seed = ~in_order.seed;
  Clock clock{.step = keeps_best() ? 0 : epoch * batches, .steps_per_epoch = batches};
  StepContext step;
  step.state = static_cast<RunState*>(totals.data());
  // Ranks evaluate different batches.
  const Communicator* ranks = options_.communicator.get();
  for (std::uint64_t i = 0; i < batches; ++i, ++clock.step) {
    if (ranks && i % static_cast<std::uint64_t>(ranks->size()) != static_cast<std::uint64_t>(ranks->rank()))
      continue;
    const Batch batch = gather_batch(images, rows, clock, in_order);
    const Noise noise{.seed = options_.data.seed,
                      .purpose = RandomPurpose::validation_noise,
                      .clock = clock,
                      .frozen = options_.frozen_noise};
    step.clock = clock;
    step.rows = batch.x.shape()[0];
    const double per_image = options_.batch_sum ? 1.0 : 1.0 / static_cast<double>(step.rows);
    count_losses(losses_of(model, batch, noise, options, per_image), options, step);
  }
  const RunState own = read_run_state(totals);
  Tensor sums = Tensor::from(
      std::vector<double>{own.sums[0], own.sums[1], own.sums[2], own.bad_step > 0 ? 1.0 : 0.0}, {4});
  if (ranks) options_.communicator->sum(sums);
  const std::vector<double> all = sums.to_doubles();
  check(all[3] == 0, Origin("evaluate", ErrorKind::not_finite), "the loss is not finite after epoch {}",
        epoch + 1);
  return mean_of({all[0], all[1], all[2], images.count()});
}

}  // namespace gpuvae
