// Optimisers. One kernel launch updates all parameters.
#pragma once

#include <span>

#include "gpuvae/nn.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Settings that fit every optimiser. The structs below have one optimiser's settings each, under their usual
// names.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adam;  // the update rule
  double learning_rate = 1e-3;               // above 0
  double beta1 = 0.9;                        // beta1 of Adam and AdamW; SGD's momentum (0: plain SGD)
  double beta2 = 0.999;                      // beta2 of Adam and AdamW; RMSprop's rho
  double epsilon = 1e-8;                     // added to the denominator for numerical stability
  double l2 = 0;           // adds l2 * ||theta||^2 to the loss; for AdamW: decoupled weight decay
  bool l2_biases = false;  // whether biases are decayed too
  double clip_norm = 0;    // maximum norm of the whole gradient; 0: no clipping

  // Returns the default settings of a kind, taken from the framework that its update rule follows.
  [[nodiscard]] static OptimizerOptions defaults(OptimizerKind kind);
};

// Updates parameters with their gradients. The constructor moves the elements of all parameters into one
// contiguous tensor, the arena, and their gradients into another, so that one kernel launch updates all
// parameters. The variables stay the same: every copy of a parameter sees the new memory, so modules may be
// moved or destroyed. The host counts the updates until step() is first captured in a graph. From then on,
// the device counts them, because graph launches do not run host code.
//
// Nothing else may use the parameters while an optimiser is constructed. One thread at a time may use an
// optimiser.
class Optimizer {
 public:
  // Throws Error for settings out of range, for a parameter that is not an f32 leaf or is updated by another
  // existing optimiser, and for duplicate parameters.
  Optimizer(std::span<const Parameter> parameters, const OptimizerOptions& options);
  Optimizer(const Optimizer&) = delete;  // no two optimisers may update the same parameters
  Optimizer& operator=(const Optimizer&) = delete;
  // @{
  // After a move, the new object updates the parameters. The old object updates none, and its members throw
  // Error, except zero_grad(), updates(), variable_count() and those that return a stored value.
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;
  // @}

  // Drops the gradients. This function launches no kernel.
  void zero_grad();
  // Updates all parameters. A parameter without a gradient is updated as if its gradient were zero.
  void step();
  // Updates all parameters, for training steps that are captured and launched repeatedly. `updates` is the
  // number of finished updates. This function does not count the update: call count() after launching the
  // graph. With `factors`, f64 [n] on the parameters' device, update number i (from 0) multiplies the
  // learning rate by factors[i % n].
  void step(const Clock& updates, const Tensor& factors = {});
  // Like step(updates, factors), but changes neither parameters nor state if the gradient or one of up to two
  // `losses`, of one f32 element each on the parameters' device, is not finite (see OnNan). gradient_scale()
  // then holds NaN.
  void step_if_finite(const Clock& updates, const Tensor& factors, std::span<const Tensor> losses);
  // Adds `updates` to the number of finished updates.
  void count(std::uint64_t updates);

  // Sets the learning rate, which must be above 0, for all updates that are queued on the current stream
  // after the call, including those in launches of captured graphs. Throws Error during a capture.
  void set_learning_rate(double rate);
  // The current learning rate.
  [[nodiscard]] double learning_rate() const { return options_.learning_rate; }

  // Whether this optimiser updates the variable.
  [[nodiscard]] bool updates(const Variable& variable) const;
  // The number of variables that this optimiser updates.
  [[nodiscard]] std::size_t variable_count() const { return variables_.size(); }

  // The settings, with the current learning rate.
  [[nodiscard]] const OptimizerOptions& options() const { return options_; }
  // The number of finished updates. Waits for the current stream if the device counts them.
  [[nodiscard]] std::uint64_t steps() const;
  // Returns a clock for the batches and the noise of a custom training step. Its step is the number of
  // finished updates; once a capture has used it, the clock reads the device's counter.
  [[nodiscard]] Clock clock(std::uint64_t steps_per_epoch = 1);
  // The norm of the gradient at the last step, before clipping. Waits for the current stream. Throws Error if
  // clip_norm is 0.
  [[nodiscard]] double gradient_norm() const;
  // f32 [1] on the parameters' device: the factor by which the last step_if_finite(), or the last step with
  // clip_norm, multiplied the gradient.
  [[nodiscard]] Tensor gradient_scale() const;
  // Whether all parameters and the whole state are finite. Waits for the current stream.
  [[nodiscard]] bool is_finite() const;

  // The gradients that step() uses, with the arena's layout. Gradients that parameters do not have are set to
  // zero first. A distributed run sums them over its ranks.
  [[nodiscard]] Tensor gradients();
  // The arena of the parameters, f32, one-dimensional, with gaps for alignment. Parameters with decay come
  // first.
  [[nodiscard]] Tensor values() const { return values_; }
  // f64 [1] on the parameters' device: the learning rate that captured graphs read.
  [[nodiscard]] Tensor device_learning_rate() const { return learning_rate_; }
  // The number of the arena's elements that receive decay.
  [[nodiscard]] std::int64_t decayed() const { return decayed_; }

  // @{
  // The optimiser's state, f32 with the arena's shape. state1() is the first moment for Adam and AdamW, the
  // momentum buffer for SGD, and the mean or sum of squared gradients otherwise. state2() is the second
  // moment for Adam and AdamW, and undefined otherwise. Together with the parameters and the number of
  // updates, the state suffices to resume bit for bit.
  [[nodiscard]] Tensor state1() const { return state1_; }
  [[nodiscard]] Tensor state2() const { return state2_; }
  // @}
  // Sets the number of finished updates and the state. Throws Error if the states do not match this
  // optimiser.
  void restore(std::uint64_t steps, const Tensor& state1, const Tensor& state2);

 private:
  void place(const Parameter& p, std::int64_t offset);
  void clip(std::span<const Tensor> losses, bool guard);
  void update(const Clock& updates, const Tensor& factors, bool guarded);
  [[nodiscard]] std::uint64_t* counter() const;

  OptimizerOptions options_;
  std::uint64_t steps_ = 0;  // finished updates; if on_device_ is true, steps() adds *counter_
  bool on_device_ = false;
  std::vector<Variable> variables_;
  Tensor values_, gradients_, state1_, state2_, clip_;
  std::vector<std::int64_t> tensors_;  // the beginnings of the parameters in the arena, ascending
  Tensor counter_;                     // a std::uint64_t as bytes
  Tensor learning_rate_;
  std::shared_ptr<const void> identity_;  // marks the leaves that this optimiser updates
  std::int64_t decayed_ = 0;
};

// One class per optimiser, with its usual settings: Adam(model.parameters(), {.learning_rate = 2e-3}).

// Settings of SGD.
struct SGDOptions {
  double learning_rate = 1e-2;        // above 0
  double momentum = 0;                // decay factor of the running sum of gradients
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // maximum norm of the whole gradient; 0: no clipping
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
  double rho = 0.9;                   // decay factor of the running mean of squared gradients
  double epsilon = 1e-7;              // for numerical stability; TensorFlow 1's default is 1e-10
  bool tensorflow1 = false;           // epsilon inside the square root, and the mean square starts at 1
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // maximum norm of the whole gradient; 0: no clipping
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
  double epsilon = 1e-10;             // added to the denominator for numerical stability
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // maximum norm of the whole gradient; 0: no clipping
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
  double beta1 = 0.9;                 // decay rate of the first moment estimate
  double beta2 = 0.999;               // decay rate of the second moment estimate
  double epsilon = 1e-8;              // added to the denominator for numerical stability
  double l2 = 0;                      // adds l2 * ||theta||^2 to the loss
  bool l2_biases = false;             // whether biases are decayed too
  double clip_norm = 0;               // maximum norm of the whole gradient; 0: no clipping
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
  double beta1 = 0.9;                 // decay rate of the first moment estimate
  double beta2 = 0.999;               // decay rate of the second moment estimate
  double epsilon = 1e-8;              // added to the denominator for numerical stability
  double weight_decay = 1e-2;         // each update subtracts learning_rate * weight_decay * theta
  bool decay_biases = false;          // whether biases are decayed too
  double clip_norm = 0;               // maximum norm of the whole gradient; 0: no clipping
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
// Computes the update of Optimizer::step with primitive operations, as the reference in tests and the
// baseline in benchmarks. `step` is the number of earlier updates, and the first `decayed` elements receive
// decay. The tensors must be f32, of the same size and on the same device; only Adam and AdamW use `state2`.
// `gradients` is not changed. Throws Error if a tensor does not match.
void optimizer_step(const OptimizerOptions& options, std::uint64_t step, std::int64_t decayed,
                    const Tensor& parameters, const Tensor& gradients, const Tensor& state1,
                    const Tensor& state2);
}  // namespace unfused

}  // namespace gpuvae
#pragma GCC visibility pop
