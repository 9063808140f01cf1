// The training step for any model, composed of differentiable operations and autograd.
#pragma once

#include "gpuvae/train.h"
#include "src/train/batch_feed.h"
#include "src/train/train_step.h"

namespace gpuvae {

// The losses of a batch for reports, [1] each: -log p(x | z), the KL term and, for an importance-weighted
// objective, minus the objective.
using BatchLosses = std::vector<Tensor>;
// Returns the losses of a batch: `per_image` times the sum over the batch, otherwise weighted as `options`
// requires.
BatchLosses losses_of(const Vae& model, const Batch& batch, const Noise& noise, const TrainOptions& options,
                      double per_image);
// Adds the losses to the run's sums.
void count_losses(const BatchLosses& losses, const TrainOptions& options, const StepContext& step);
// Adds the losses of a training step to the run's sums, or counts it as skipped, and advances the run's
// counters. `gradient_scale` is that of Optimizer::step_if_finite, or undefined with OnNan::stop.
void count_step(const BatchLosses& losses, const TrainOptions& options, const StepContext& step,
                const Tensor& gradient_scale);

class AutogradStep final : public TrainStep {
 public:
  // The optimiser, images and options must outlive the step.
  AutogradStep(const Vae& model, Optimizer& optimizer, const Dataset& images, const TrainOptions& options);
  void enqueue(const StepContext& step) override;
  Device device() const override { return model_.device(); }
  bool is_fed() const override { return feed_.has_value(); }
  void feed(std::uint64_t number, std::int64_t rows) override { feed_->queue(number, rows); }

 private:
  // The KL weight of a step during the warm-up, [1] on the device; undefined without a warm-up.
  Tensor warmup_weight(const Clock& clock) const;
  BatchLosses backward(const Batch& batch, const Noise& noise, const Clock& clock, double per_image);
  Batch batch_of(const StepContext& step) const;
  void zero_gradients();
  void update(const BatchLosses& losses, const StepContext& step);

  Vae model_;
  Optimizer& optimizer_;
  std::vector<Variable> others_;  // parameters that the optimiser does not update
  const Dataset& images_;
  const TrainOptions& options_;
  std::optional<BatchFeed> feed_;  // for images in a source and a model on a GPU
};

}  // namespace gpuvae
