// The exponential moving average of a model's weights (Polyak and Juditsky, 1992), with which a model is
// evaluated while training goes on with the weights themselves.
#pragma once

#include "gpuvae/optim.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Settings of a WeightAverage.
struct AverageOptions {
  double decay = 0;                        // d in average = d * average + (1 - d) * weights; in [0, 1)
  AverageForm form = AverageForm::warmup;  // how the average begins
};

// The average of all weights of an optimiser. It starts at the weights of its construction or, with
// AverageForm::zero, at 0. One thread at a time may use an average.
class WeightAverage {
 public:
  // Throws Error for a decay outside [0, 1).
  WeightAverage(const Optimizer& optimizer, const AverageOptions& options);

  // Adds the optimiser's weights to the average, in one kernel launch. Call it after Optimizer::step(updates)
  // with the same clock, and before the update is counted. With a `gradient_scale` (see
  // Optimizer::gradient_scale), it changes nothing if the update was left out because of a gradient or loss
  // that is not finite.
  void update(const Clock& updates, const Tensor& gradient_scale = {});

  // The average, f32 with the layout of Optimizer::values(). Later updates change it.
  [[nodiscard]] Tensor values() const { return values_; }
  // Sets the average. Throws Error if the shapes differ.
  void restore(const Tensor& values);
  // The settings.
  [[nodiscard]] const AverageOptions& options() const { return options_; }

 private:
  AverageOptions options_;
  Tensor weights_, values_;
};

namespace unfused {
// Computes the update of WeightAverage with primitive operations, as the reference in tests and the baseline
// in benchmarks. `update` is the number of earlier updates. The tensors must have the same size, dtype and
// device. Throws Error if they do not match.
void average(const AverageOptions& options, std::uint64_t update, const Tensor& weights,
             const Tensor& average);
}  // namespace unfused

}  // namespace gpuvae
#pragma GCC visibility pop
