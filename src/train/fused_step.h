// The training step of an MLP-VAE as a handful of kernels instead of a graph of operations:
// kernels/fused_step.h.
#pragma once

#include <cstdint>
#include <string>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/step_body.h"

namespace gpuvae {

class FusedStep final : public StepBody {
 public:
  // What a run keeps on the device.
  struct Totals {
    double* sums = nullptr;             // [2]: reconstruction and kl, of all images so far
    std::uint64_t* bad_step = nullptr;  // the first step whose loss was not finite, from 1; 0: none
    std::uint64_t* advance = nullptr;   // counted up at the end of the step; or null
  };

  // "" if FusedStep takes these, else one line that says what does not fit.
  static std::string why_not(Vae& model, const Optimizer& optimizer, const ImageSet& images,
                             const TrainOptions& options);

  // All of them outlive the step. Throws Error where why_not() has something to say, and, at the first step,
  // where the device lacks the precision. `automatic` is the model's.
  FusedStep(Vae& model, const Optimizer& optimizer, const ImageSet& images, const TrainOptions& options,
            kernels::FusedPrecision precision = kernels::FusedPrecision::automatic);

  // Puts one whole step on the current stream: batch, losses, gradients, update, totals. Capturable; nothing
  // is allocated and nobody waits. `updates` counts the optimiser's finished updates: the caller tells the
  // optimiser of this one (Optimizer::count).
  void enqueue(const Clock& clock, const Clock& updates, const Totals& totals);
  void enqueue(const StepContext& step) override;
  Device device() const override { return device_; }

 private:
  Device device_;
  Tensor workspace_;
  kernels::FusedStepArgs args_;
};

}  // namespace gpuvae
