// The training step for any model, composed of differentiable operations and autograd.
#pragma once

#include "gpuvae/train.h"
#include "src/train/train_step.h"

namespace gpuvae {

// Returns the losses of a batch: `per_image` times the sum over the batch, otherwise weighted as `options` requires.
Elbo losses_of(const Vae& model, const Batch& batch, const Noise& noise, const TrainOptions& options,
               double per_image);
// Adds the losses, one element each, to the run's sums, and advances the run's step counter if `advance` is true.
void count_losses(const Tensor& reconstruction, const Tensor& kl, const TrainOptions& options,
                  const StepContext& step, bool advance);

class AutogradStep final : public TrainStep {
 public:
  // The optimiser, images and options must outlive the step.
  AutogradStep(const Vae& model, Optimizer& optimizer, const Dataset& images, const TrainOptions& options);
  void enqueue(const StepContext& step) override;
  Device device() const override { return model_.device(); }

 private:
  autograd::Root regularizer_root(const Variable& regularizer, const Clock& clock) const;
  void zero_gradients();

  Vae model_;
  Optimizer& optimizer_;
  std::vector<Variable> others_;  // parameters that the optimiser does not update
  const Dataset& images_;
  const TrainOptions& options_;
};

}  // namespace gpuvae
