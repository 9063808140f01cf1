// Optimisers: one kernel launch updates every parameter.
#pragma once

#include <span>

#include "gpuvae/nn.h"

namespace gpuvae {

// Settings of any optimiser. The structs below have the usual names of each kind.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adam;  // the update rule
  double learning_rate = 1e-3;               // above 0
  double beta1 = 0.9;                        // Adam and AdamW; momentum of SGD (0: plain SGD)
  double beta2 = 0.999;                      // Adam and AdamW; rho of RMSprop
  double epsilon = 1e-8;                     // keeps denominators above 0
  double l2 = 0;           // adds l2 * ||theta||^2 to the loss; for AdamW: decoupled weight decay
  bool l2_biases = false;  // whether biases are decayed too
  double clip_norm = 0;    // the gradient's norm is kept at or below this; 0: no clipping

  // The usual settings of each kind, as its framework has them.
  [[nodiscard]] static OptimizerOptions defaults(OptimizerKind kind);
};

// Updates parameters by their gradients. The constructor moves the parameters' elements and gradients into
// one contiguous arena, so that one kernel launch updates all of them. The variables stay the same: every
// copy of a parameter sees the new memory, so modules may be moved or destroyed. The number of updates is
// counted on the host; from the first step() inside a captured graph on, on the device, so that the graph's
// later launches count on.
//
// Nothing else may use the parameters while an optimiser is constructed. One thread at a time may use it.
class Optimizer {
 public:
  // Throws Error for settings out of range, and for a parameter that is no f32 leaf, that another living
  // optimiser updates, or that is there twice.
  Optimizer(std::span<const Parameter> parameters, const OptimizerOptions& options);
  Optimizer(const Optimizer&) = delete;  // two optimisers never update the same parameters
  Optimizer& operator=(const Optimizer&) = delete;
  // @{
  // The new object updates the parameters, and the old one none.
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;
  // @}

  // Forgets the gradients. Launches no kernel.
  void zero_grad();
  // Updates all parameters. Those without a gradient count as having a zero one.
  void step();
  // The same, for steps that are launched again as part of a graph: the caller keeps the number of finished
  // updates, and reports them by count(). With `factors`, f64 [n] on the parameters' device, update number i
  // (from 0) multiplies the learning rate by factors[i % n].
  void step(const Clock& updates, const Tensor& factors = {});
  // Adds finished updates to their number.
  void count(std::uint64_t updates);

  // Sets the learning rate, above 0, of all updates that are put on the current stream from now on, by
  // launches of captured graphs too. Throws Error during a capture.
  void set_learning_rate(double rate);
  // The present one.
  [[nodiscard]] double learning_rate() const { return options_.learning_rate; }

  // Whether this optimiser updates the variable.
  [[nodiscard]] bool updates(const Variable& variable) const;
  // How many variables it updates.
  [[nodiscard]] std::size_t variable_count() const { return variables_.size(); }

  // The settings, with the present learning rate.
  [[nodiscard]] const OptimizerOptions& options() const { return options_; }
  // Finished updates. Waits for the current stream if they are counted on the device.
  [[nodiscard]] std::uint64_t steps() const;
  // Their number as a clock for the batches and the noise of a program's own step; inside a capture, the
  // device's.
  [[nodiscard]] Clock clock(std::uint64_t steps_per_epoch = 1);
  // Norm of the gradient at the last step, before clipping; waits for the current stream. Throws Error
  // without clip_norm.
  [[nodiscard]] double gradient_norm() const;

  // The arena: f32 [all parameters, with gaps], those that are decayed first.
  [[nodiscard]] Tensor values() const { return values_; }
  // f64 [1] on the parameters' device: the learning rate, as captured graphs read it.
  [[nodiscard]] Tensor device_learning_rate() const { return learning_rate_; }
  // How many elements of the arena are decayed.
  [[nodiscard]] std::int64_t decayed() const { return decayed_; }

  // @{
  // Moments of the gradients, f32 with the arena's shape; undefined where the kind keeps none. With the
  // parameters and the number of updates they are all that a bit-for-bit resume needs.
  [[nodiscard]] Tensor state1() const { return state1_; }
  [[nodiscard]] Tensor state2() const { return state2_; }
  // @}
  // Continues after `steps` updates with these states. Throws Error if they do not fit.
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
// 2e-3}).

// Settings of SGD.
struct SGDOptions {
  double learning_rate = 1e-2;        // above 0
  double momentum = 0;                // of the sum of gradients
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // largest norm of the gradient; 0: no clipping
  operator OptimizerOptions() const;  // NOLINT: implicit, for functions that take any optimiser's options
};
// Stochastic gradient descent with momentum.
class SGD : public Optimizer {
 public:
  // Errors are those of Optimizer.
  explicit SGD(std::span<const Parameter> parameters, const SGDOptions& options = {})
      : Optimizer(parameters, options) {}
};

// Settings of RMSprop.
struct RMSpropOptions {
  double learning_rate = 1e-3;        // above 0
  double rho = 0.9;                   // decay of the mean square
  double epsilon = 1e-7;              // keeps denominators above 0
  bool tensorflow1 = false;           // epsilon is added below the root, and the mean square starts at 1
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // largest norm of the gradient; 0: no clipping
  operator OptimizerOptions() const;  // NOLINT: implicit, for functions that take any optimiser's options
};
// RMSprop (Tieleman and Hinton, 2012) as in Keras, or as in TensorFlow 1.
class RMSprop : public Optimizer {
 public:
  // Errors are those of Optimizer.
  explicit RMSprop(std::span<const Parameter> parameters, const RMSpropOptions& options = {})
      : Optimizer(parameters, options) {}
};

// Settings of Adagrad.
struct AdagradOptions {
  double learning_rate = 1e-2;        // above 0
  double epsilon = 1e-10;             // keeps denominators above 0
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // largest norm of the gradient; 0: no clipping
  operator OptimizerOptions() const;  // NOLINT: implicit, for functions that take any optimiser's options
};
// Adagrad (Duchi, Hazan and Singer, 2011).
class Adagrad : public Optimizer {
 public:
  // Errors are those of Optimizer.
  explicit Adagrad(std::span<const Parameter> parameters, const AdagradOptions& options = {})
      : Optimizer(parameters, options) {}
};

// Settings of Adam.
struct AdamOptions {
  double learning_rate = 1e-3;        // above 0
  double beta1 = 0.9;                 // decay of the mean gradient
  double beta2 = 0.999;               // decay of the mean square
  double epsilon = 1e-8;              // keeps denominators above 0
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // largest norm of the gradient; 0: no clipping
  operator OptimizerOptions() const;  // NOLINT: implicit, for functions that take any optimiser's options
};
// Adam (Kingma and Ba, 2015).
class Adam : public Optimizer {
 public:
  // Errors are those of Optimizer.
  explicit Adam(std::span<const Parameter> parameters, const AdamOptions& options = {})
      : Optimizer(parameters, options) {}
};

// Settings of AdamW.
struct AdamWOptions {
  double learning_rate = 1e-3;        // above 0
  double beta1 = 0.9;                 // decay of the mean gradient
  double beta2 = 0.999;               // decay of the mean square
  double epsilon = 1e-8;              // keeps denominators above 0
  double weight_decay = 1e-2;         // per update, times the learning rate
  bool decay_biases = false;          // whether biases are decayed too
  double clip_norm = 0;               // largest norm of the gradient; 0: no clipping
  operator OptimizerOptions() const;  // NOLINT: implicit, for functions that take any optimiser's options
};
// Adam with decoupled weight decay (Loshchilov and Hutter, 2019): each update first subtracts learning_rate *
// weight_decay * theta.
class AdamW : public Optimizer {
 public:
  // Errors are those of Optimizer.
  explicit AdamW(std::span<const Parameter> parameters, const AdamWOptions& options = {})
      : Optimizer(parameters, options) {}
};

namespace unfused {
// What Optimizer::step does to its arena, from primitive operations: the reference in tests and the baseline
// in the benchmark. `step` updates were done before; the first `decayed` elements receive l2. f32 tensors of
// one size, on one device; `state2` is used by Adam and AdamW only. Gradients stay as they are. Throws Error.
void optimizer_step(const OptimizerOptions& options, std::uint64_t step, std::int64_t decayed,
                    const Tensor& parameters, const Tensor& gradients, const Tensor& state1,
                    const Tensor& state2);
}  // namespace unfused

}  // namespace gpuvae
