// The training step of an MLP-VAE as a handful of kernels instead of a graph of operations:
// kernels/fused_step.h.
#pragma once

#include <cstdint>
#include <string>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/train_step.h"

namespace gpuvae {

class FusedStep final : public TrainStep {
 public:
  // "" if FusedStep takes these, else one line that says what does not fit.
  static std::string why_not(const Vae& model, const Optimizer& optimizer, const Dataset& images,
                             const TrainOptions& options);

  // All of them outlive the step. Throws Error where why_not() has something to say, and, at the first step,
  // where the device lacks the precision. `automatic` is the model's.
  FusedStep(const Vae& model, const Optimizer& optimizer, const Dataset& images, const TrainOptions& options,
            kernels::FusedPrecision precision = kernels::FusedPrecision::automatic);

  // Five kernels and more; the caller tells the optimiser of the update (Optimizer::count).
  void enqueue(const StepContext& step) override;
  Device device() const override { return device_; }

 private:
  Device device_;
  Tensor workspace_;
  kernels::FusedStepArgs args_;
};

}  // namespace gpuvae
