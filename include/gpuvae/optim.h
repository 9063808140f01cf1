// Optimisers: one kernel launch updates every parameter.
#pragma once

#include <span>

#include "gpuvae/nn.h"

namespace gpuvae {

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adam;
  double learning_rate = 1e-3;
  double beta1 = 0.9;    // Adam; momentum of SGD (set 0 for plain SGD)
  double beta2 = 0.999;  // Adam; rho of RMSprop
  double epsilon = 1e-8;
  double l2 = 0;           // adds l2 * ||theta||^2 to the loss; for AdamW: decoupled weight decay
  bool l2_biases = false;  // whether biases are decayed too
  double clip_norm = 0;    // the gradient's norm is kept at or below this; 0: no clipping

  // The usual settings of each kind, as its framework has them.
  [[nodiscard]] static OptimizerOptions defaults(OptimizerKind kind);
};

// The number of an update, which Adam's bias correction wants, is counted on the host; from the first step()
// inside a captured graph on, on the device, so that the graph's later launches count on.
//
// Moves the parameters' elements and gradients into one contiguous arena (the variables become views of it)
// and updates them all at once. The module must outlive the optimiser and not move.
class Optimizer {
 public:
  Optimizer(std::span<const Parameter> parameters, const OptimizerOptions& options);

  void zero_grad();
  void step();  // parameters without a gradient count as having a zero one
  // The same, where the caller keeps the number of finished updates, and tells of them by count(). For steps
  // that are launched again as part of a graph.
  void step(const Clock& updates);
  void count(std::uint64_t updates);

  [[nodiscard]] const OptimizerOptions& options() const { return options_; }
  [[nodiscard]] std::uint64_t steps()
      const;  // finished updates; waits for the current stream if they count on the device
  // Their number as a clock for batches and noise of a step of one's own; inside a capture, the device's.
  [[nodiscard]] Clock clock(std::uint64_t steps_per_epoch = 1);
  [[nodiscard]] double gradient_norm()
      const;  // before clipping, at the last step; waits. Only with clip_norm.

  // The arena: f32 [all parameters, with gaps], those that are decayed first.
  [[nodiscard]] Tensor values() const { return values_; }
  [[nodiscard]] std::int64_t decayed() const { return decayed_; }

  // Everything but the parameters that a bit-for-bit resume needs.
  [[nodiscard]] Tensor state1() const { return state1_; }  // undefined where the kind keeps none
  [[nodiscard]] Tensor state2() const { return state2_; }
  void restore(std::uint64_t steps, const Tensor& state1, const Tensor& state2);

 private:
  void place(const Parameter& p, std::int64_t offset);
  [[nodiscard]] std::uint64_t* counter() const;

  OptimizerOptions options_;
  std::uint64_t steps_ = 0;  // and those of counter_, if on_device_
  bool on_device_ = false;
  std::vector<Variable> variables_;
  Tensor values_, gradients_, state1_, state2_, clip_;
  Tensor counter_;  // bytes of a number
  std::int64_t decayed_ = 0;
};

// What Optimizer::step does to its arena, from primitive operations: oracle of the tests, baseline of the
// benchmark. `step` updates were done before; the first `decayed` elements receive l2. f32 tensors of one
// size, on one device; `state2` is used by Adam and AdamW alone. Gradients stay as they are. Throws Error.
namespace composed {
void optimizer_step(const OptimizerOptions& options, std::uint64_t step, std::int64_t decayed,
                    const Tensor& parameters, const Tensor& gradients, const Tensor& state1,
                    const Tensor& state2);
}

}  // namespace gpuvae
