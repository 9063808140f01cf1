// The training step of an MLP-VAE as a few fused kernels (kernels/fused_step.h) instead of a graph of
// operations.
#pragma once

#include <cstdint>
#include <string>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/train_step.h"

namespace gpuvae {

class FusedStep final : public TrainStep {
 public:
  // Returns "" if FusedStep supports the arguments, else one line that says why not.
  static std::string why_not(const Vae& model, const Optimizer& optimizer, const Dataset& images,
                             const TrainOptions& options);

  // All arguments must outlive the step. Throws Error if why_not() returns a reason. The first enqueue()
  // throws Error if the device lacks the precision. FusedPrecision::automatic uses the precision of the
  // model.
  FusedStep(const Vae& model, const Optimizer& optimizer, const Dataset& images, const TrainOptions& options,
            kernels::FusedPrecision precision = kernels::FusedPrecision::automatic);

  // Launches five or more kernels. The caller must report the update to the optimiser (Optimizer::count).
  void enqueue(const StepContext& step) override;
  Device device() const override { return device_; }

 private:
  Device device_;
  Tensor workspace_;
  kernels::FusedStepArgs args_;
};

}  // namespace gpuvae
