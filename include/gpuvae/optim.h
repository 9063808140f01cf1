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
// Moves the parameters' elements and gradients into one contiguous arena and updates them all at once. The
// variables stay the same: every copy of a parameter sees the new memory, so modules may be moved or
// destroyed. Nothing else may use the parameters while an optimiser is constructed; afterwards one thread at
// a time may use it.
//
// The constructor throws Error for a parameter that is no f32 leaf, that another living optimiser updates, or
// that is there twice.
class Optimizer {
 public:
  Optimizer(std::span<const Parameter> parameters, const OptimizerOptions& options);
  Optimizer(const Optimizer&) = delete;  // two optimisers never update the same parameters
  Optimizer& operator=(const Optimizer&) = delete;
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;

  void zero_grad();
  void step();  // parameters without a gradient count as having a zero one
  // The same, where the caller keeps the number of finished updates, and tells of them by count(). For steps
  // that are launched again as part of a graph.
  // With `factors`, f64 [n] on the parameters' device, update number i (from 0) multiplies the learning rate
  // by factors[i % n].
  void step(const Clock& updates, const Tensor& factors = {});
  void count(std::uint64_t updates);

  // The learning rate of all updates that are put on the current stream from now on, by launches of captured
  // graphs too. Above 0. Throws Error during a capture.
  void set_learning_rate(double rate);
  [[nodiscard]] double learning_rate() const { return options_.learning_rate; }

  // Whether this optimiser updates the variable, and how many variables it updates.
  [[nodiscard]] bool updates(const Variable& variable) const;
  [[nodiscard]] std::size_t variable_count() const { return variables_.size(); }

  [[nodiscard]] const OptimizerOptions& options() const {
    return options_;
  }  // with the present learning rate
  [[nodiscard]] std::uint64_t steps()
      const;  // finished updates; waits for the current stream if they count on the device
  // Their number as a clock for batches and noise of a step of one's own; inside a capture, the device's.
  [[nodiscard]] Clock clock(std::uint64_t steps_per_epoch = 1);
  [[nodiscard]] double gradient_norm()
      const;  // before clipping, at the last step; waits. Only with clip_norm.

  // The arena: f32 [all parameters, with gaps], those that are decayed first.
  [[nodiscard]] Tensor values() const { return values_; }
  // f64 [1] on the parameters' device: the learning rate, as captured graphs read it.
  [[nodiscard]] Tensor device_learning_rate() const { return learning_rate_; }
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
  Tensor learning_rate_;
  std::shared_ptr<const void> identity_;  // to which the parameters' leaves refer
  std::int64_t decayed_ = 0;
};

// Each optimiser by its name, with the settings that it has: Adam(model.parameters(), {.learning_rate =
// 2e-3}). In all of them `l2` adds l2 * ||theta||^2 to the loss, biases left out unless `l2_biases`, and the
// gradient's norm is kept at or below `clip_norm` (0: no clipping).
struct SGDOptions {
  double learning_rate = 1e-2;
  double momentum = 0;
  double l2 = 0;
  bool l2_biases = false;
  double clip_norm = 0;
  operator OptimizerOptions() const;  // NOLINT: implicit, for functions that take any optimiser's options
};
class SGD : public Optimizer {
 public:
  explicit SGD(std::span<const Parameter> parameters, const SGDOptions& options = {})
      : Optimizer(parameters, options) {}
};

struct RMSpropOptions {
  double learning_rate = 1e-3;
  double rho = 0.9;
  double epsilon = 1e-7;
  bool tensorflow1 = false;  // epsilon is added below the root, and the mean square starts at 1
  double l2 = 0;
  bool l2_biases = false;
  double clip_norm = 0;
  operator OptimizerOptions() const;  // NOLINT
};
class RMSprop : public Optimizer {
 public:
  explicit RMSprop(std::span<const Parameter> parameters, const RMSpropOptions& options = {})
      : Optimizer(parameters, options) {}
};

struct AdagradOptions {
  double learning_rate = 1e-2;
  double epsilon = 1e-10;
  double l2 = 0;
  bool l2_biases = false;
  double clip_norm = 0;
  operator OptimizerOptions() const;  // NOLINT
};
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(std::span<const Parameter> parameters, const AdagradOptions& options = {})
      : Optimizer(parameters, options) {}
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double l2 = 0;
  bool l2_biases = false;
  double clip_norm = 0;
  operator OptimizerOptions() const;  // NOLINT
};
class Adam : public Optimizer {
 public:
  explicit Adam(std::span<const Parameter> parameters, const AdamOptions& options = {})
      : Optimizer(parameters, options) {}
};

// Adam with decoupled weight decay: each update first subtracts learning_rate * weight_decay * theta.
struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool decay_biases = false;
  double clip_norm = 0;
  operator OptimizerOptions() const;  // NOLINT
};
class AdamW : public Optimizer {
 public:
  explicit AdamW(std::span<const Parameter> parameters, const AdamWOptions& options = {})
      : Optimizer(parameters, options) {}
};

// What Optimizer::step does to its arena, from primitive operations: oracle of the tests, baseline of the
// benchmark. `step` updates were done before; the first `decayed` elements receive l2. f32 tensors of one
// size, on one device; `state2` is used by Adam and AdamW alone. Gradients stay as they are. Throws Error.
namespace unfused {
void optimizer_step(const OptimizerOptions& options, std::uint64_t step, std::int64_t decayed,
                    const Tensor& parameters, const Tensor& gradients, const Tensor& state1,
                    const Tensor& state2);
}

}  // namespace gpuvae
