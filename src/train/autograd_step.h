// The training step of any model: operations and their gradients by autograd.
#pragma once

#include "gpuvae/train.h"
#include "src/train/train_step.h"

namespace gpuvae {

// Losses of a batch, of the sum or the mean over it, as the gradient wants them.
Elbo losses_of(const Vae& model, const Batch& batch, const Noise& noise, const TrainOptions& options);
// Adds them to the run's sums, and advances its step if `advance`.
void count_losses(const Elbo& elbo, const TrainOptions& options, const StepContext& step, bool advance);

class AutogradStep final : public TrainStep {
 public:
  // Optimizer, images and options outlive the step.
  AutogradStep(const Vae& model, Optimizer& optimizer, const Dataset& images, const TrainOptions& options);
  void enqueue(const StepContext& step) override;
  Device device() const override { return model_.device(); }

 private:
  autograd::Root regularizer_root(const Variable& regularizer, const Clock& clock) const;

  Vae model_;
  Optimizer& optimizer_;
  const Dataset& images_;
  const TrainOptions& options_;
};

}  // namespace gpuvae
