#include "gpuvae/optim.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "src/autograd/node.h"
#include "src/core/memory.h"
#include "src/core/random.h"

namespace gpuvae {
namespace {

// Every parameter starts at a multiple of 64 bytes, so that kernels may use wide accesses. The gaps stay
// zero.
constexpr std::int64_t kAlignment = 16;
std::int64_t padded(std::int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

bool keeps_second_state(OptimizerKind k) { return k == OptimizerKind::adam || k == OptimizerKind::adamw; }

void check_learning_rate(double rate) {
  check(rate > 0 && std::isfinite(rate), "optimizer", "expected a learning rate above 0, got {}", rate);
}

void check_optimizer_options(const OptimizerOptions& o) {
  check_enumerator("optimizer", "kind", o.kind);
  check_learning_rate(o.learning_rate);
  check(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1, "optimizer",
        "expected beta1 and beta2 in [0, 1), got {} and {}", o.beta1, o.beta2);
  const auto finite = [](double x) { return x >= 0 && std::isfinite(x); };
  check(finite(o.epsilon) && finite(o.l2) && o.clip_norm >= 0, "optimizer",
        "expected epsilon, l2 and clip_norm of 0 or more, got {}, {} and {}", o.epsilon, o.l2, o.clip_norm);
}

// Throws Error for an optimiser that was moved from, which has no arena.
void check_arena(const Tensor& values) {
  check(static_cast<bool>(values), "optimizer",
        "expected an optimiser with parameters, got one that was moved from");
}

void check_parameters(std::span<const Parameter> parameters) {
  check(!parameters.empty(), "optimizer", "expected parameters, got none");
  const Device device = parameters[0].variable.device();
  std::set<const autograd::Leaf*> seen;
  for (const Parameter& p : parameters) {
    check(p.variable.requires_grad() && p.variable.is_leaf() && p.variable.dtype() == DType::f32, "optimizer",
          "expected {} to be an f32 leaf that requires gradients, got {}", p.name, p.variable.value());
    check(p.variable.device() == device, "optimizer", "expected all parameters on {}, got {} on {}", device,
          p.name, p.variable.device());
    const autograd::Leaf* leaf = GraphAccess::edge(p.variable).leaf.get();
    check(seen.insert(leaf).second, "optimizer", "expected each parameter once, got {} twice", p.name);
    check(leaf->optimizer.expired(), "optimizer",
          "expected parameters that no other optimiser updates, got {}, which another optimiser updates",
          p.name);
  }
}

}  // namespace

OptimizerOptions OptimizerOptions::defaults(OptimizerKind kind) {
  check_enumerator("optimizer", "kind", kind);
  OptimizerOptions o;
  o.kind = kind;
  switch (kind) {
    case OptimizerKind::sgd:
      o.beta1 = 0;
      o.learning_rate = 1e-2;
      break;
    case OptimizerKind::rmsprop:
      // The defaults of Keras.
      o.beta2 = 0.9;
      o.epsilon = 1e-7;
      break;
    case OptimizerKind::rmsprop_tf1:
      // The defaults of TensorFlow 1.
      o.beta2 = 0.9;
      o.epsilon = 1e-10;
      break;
    case OptimizerKind::adagrad:
      o.learning_rate = 1e-2;
      o.epsilon = 1e-10;
      break;
    case OptimizerKind::adamw:
      o.l2 = 1e-2;
      break;
    case OptimizerKind::adam:
      break;
  }
  return o;
}

Optimizer::Optimizer(std::span<const Parameter> parameters, const OptimizerOptions& options)
    : options_(options), identity_(std::make_shared<char>()) {
  check_optimizer_options(options);
  check_parameters(parameters);
  const Device device = parameters[0].variable.device();
  // Decayed parameters come first, so that one boundary separates them from the others.
  const auto is_decayed = [&](const Parameter& p) { return !p.is_bias || options.l2_biases; };
  std::int64_t total = 0;
  for (const Parameter& p : parameters) {
    total += padded(p.variable.shape().elements());
    if (is_decayed(p)) decayed_ += padded(p.variable.shape().elements());
  }
  values_ = Tensor::zeros({total}, DType::f32, device);
  gradients_ = Tensor::zeros({total}, DType::f32, device);
  // TensorFlow 1 starts the mean of squared gradients at one.
  state1_ = Tensor::full({total}, options.kind == OptimizerKind::rmsprop_tf1 ? 1 : 0, DType::f32, device);
  if (keeps_second_state(options.kind)) state2_ = Tensor::zeros({total}, DType::f32, device);
  clip_ = Tensor::zeros({2}, DType::f32, device);
  counter_ = Tensor::from(std::vector<std::uint8_t>(sizeof(std::uint64_t)), {sizeof(std::uint64_t)}, device);
  learning_rate_ = Tensor::empty({1}, DType::f64, device);
  set_learning_rate(options.learning_rate);
  std::int64_t next[2] = {0, decayed_};
  for (const Parameter& p : parameters) {
    std::int64_t& offset = next[is_decayed(p) ? 0 : 1];
    place(p, offset);
    tensors_.push_back(offset);
    offset += padded(p.variable.shape().elements());
  }
  std::ranges::sort(tensors_);
}

void Optimizer::place(const Parameter& p, std::int64_t offset) {
  const Shape shape = p.variable.shape();
  GraphAccess::move_value(p.variable, values_.slice(offset, shape.elements()).reshape(shape));
  const Tensor gradient = p.variable.grad(),
               place = gradients_.slice(offset, shape.elements()).reshape(shape);
  p.variable.set_grad_storage(place);
  const std::shared_ptr<autograd::Leaf> leaf = GraphAccess::edge(p.variable).leaf;
  if (gradient) {
    place.copy_from(gradient);
    leaf->defined = true;
  }
  leaf->optimizer = identity_;
  variables_.push_back(p.variable);
}

void Optimizer::set_learning_rate(double rate) {
  check_arena(values_);
  check_learning_rate(rate);
  const Device device = learning_rate_.device();
  check(!is_capturing(device), "set_learning_rate", "expected no capture on {}, got a call during one",
        device);
  device.backend().copy_to_device(learning_rate_.data(), &rate, sizeof rate,
                                  Stream::current(device).handle());
  options_.learning_rate = rate;
}

bool Optimizer::updates(const Variable& variable) const {
  const std::shared_ptr<autograd::Leaf> leaf = GraphAccess::edge(variable).leaf;
  return leaf && identity_ && leaf->optimizer.lock() == identity_;
}

void Optimizer::zero_grad() {
  for (const Variable& v : variables_) v.zero_grad();
}

std::uint64_t* Optimizer::counter() const { return static_cast<std::uint64_t*>(counter_.data()); }

Clock Optimizer::clock(std::uint64_t steps_per_epoch) {
  check_arena(values_);
  on_device_ = on_device_ || is_capturing(values_.device());
  return {steps_, on_device_ ? counter_ : Tensor(), steps_per_epoch};
}

void Optimizer::step() {
  step(clock());
  count(1);
}

void Optimizer::count(std::uint64_t updates) {
  check_arena(values_);
  const Device device = values_.device();
  if (on_device_)
    device.backend().advance({counter(), updates}, Stream::current(device).handle());
  else
    steps_ += updates;
}

std::uint64_t Optimizer::steps() const {
  check_arena(values_);
  if (!on_device_) return steps_;
  const Tensor host = counter_.to(Device::cpu());
  std::uint64_t counted = 0;
  std::memcpy(&counted, host.data(), sizeof counted);
  return steps_ + counted;
}

Tensor Optimizer::gradients() {
  check_arena(values_);
  for (const Variable& v : variables_)
    if (!v.grad()) v.zero_stored_grad();
  return gradients_;
}

void Optimizer::step(const Clock& updates, const Tensor& factors) {
  if (options_.clip_norm > 0) clip({}, false);
  update(updates, factors, false);
}

void Optimizer::step_if_finite(const Clock& updates, const Tensor& factors, std::span<const Tensor> losses) {
  check(losses.size() <= kernels::kMaxGuardedLosses, "optimizer", "expected at most {} losses, got {}",
        kernels::kMaxGuardedLosses, losses.size());
  for (const Tensor& loss : losses)
    check(loss && loss.elements() == 1 && loss.dtype() == DType::f32 && loss.device() == values_.device(),
          "optimizer", "expected a loss of one f32 element on {}, got {}", values_.device(), loss);
  clip(losses, true);
  update(updates, factors, true);
}

// Computes the norm of the gradient and its scale.
void Optimizer::clip(std::span<const Tensor> losses, bool guard) {
  const Device device = values_.device();
  const Tensor gradient = gradients();
  kernels::ClipArgs args{.size = gradient.elements(), .guard = guard};
  args.max_norm = options_.clip_norm > 0 ? options_.clip_norm : std::numeric_limits<double>::infinity();
  args.x = gradient.data();
  args.scale = gradient_scale().data();
  args.norm = clip_.slice(1, 1).data();
  for (std::size_t i = 0; i < losses.size(); ++i) args.losses[i] = losses[i].data();
  device.backend().clip(args, Stream::current(device).handle());
}

void Optimizer::update(const Clock& updates, const Tensor& factors, bool guarded) {
  check_arena(values_);
  check(!factors ||
            (factors.dtype() == DType::f64 && factors.device() == values_.device() && factors.elements() > 0),
        "optimizer", "expected factors as f64 on {}, got {}", values_.device(), factors);
  const Device device = values_.device();
  kernels::OptimizerArgs args{.kind = options_.kind, .size = values_.elements(), .decayed = decayed_};
  args.learning_rate = options_.learning_rate;
  args.beta1 = options_.beta1;
  args.beta2 = options_.beta2;
  args.epsilon = options_.epsilon;
  args.decay = options_.kind == OptimizerKind::adamw ? options_.l2 : 2 * options_.l2;
  args.clock = kernel_clock("optimizer", updates, device);
  args.device_learning_rate = learning_rate_.data_as<double>();
  if (factors) {
    args.learning_rate_factors = factors.data_as<double>();
    args.factor_count = static_cast<std::uint64_t>(factors.elements());
  }
  args.parameters = values_.data();
  args.gradients = gradients().data();
  args.state1 = state1_.data();
  args.state2 = state2_ ? state2_.data() : nullptr;
  args.guarded = guarded;
  args.tensors = tensors_;
  if (guarded || options_.clip_norm > 0) args.gradient_scale = gradient_scale().data();
  device.backend().optimizer_step(args, Stream::current(device).handle());
  values_.increment_version();
}

double Optimizer::gradient_norm() const {
  check_arena(values_);
  check(options_.clip_norm > 0, "gradient_norm", "expected an optimiser with clip_norm, got one without");
  return clip_.slice(1, 1).item();
}

Tensor Optimizer::gradient_scale() const {
  check_arena(values_);
  return clip_.slice(0, 1);
}

// The norm of a tensor is finite only if all of its elements are.
bool Optimizer::is_finite() const {
  check_arena(values_);
  const Device device = values_.device();
  const Tensor norms = Tensor::zeros({3, 2}, DType::f32, device);
  const Tensor tensors[] = {values_, state1_, state2_};
  for (int i = 0; i < 3; ++i) {
    if (!tensors[i]) continue;
    kernels::ClipArgs args{.size = values_.elements()};
    args.x = tensors[i].data();
    args.scale = norms.slice(i, 1).data();
    args.norm = norms.slice(i, 1).reshape({2}).slice(1, 1).data();
    device.backend().clip(args, Stream::current(device).handle());
  }
  for (const float norm : norms.to_vector())
    if (!std::isfinite(norm)) return false;
  return true;
}

void Optimizer::restore(std::uint64_t steps, const Tensor& state1, const Tensor& state2) {
  check_arena(values_);
  state1_.copy_from(state1);
  check(static_cast<bool>(state2) == static_cast<bool>(state2_), "optimizer",
        "expected {} second state, got {}", state2_ ? "a" : "no", state2 ? "one" : "none");
  if (state2_) state2_.copy_from(state2);
  if (!on_device_) {
    steps_ = steps;
    return;
  }
  // Captured graphs contain the current value of steps_ as a constant, so only the counter changes: it
  // becomes steps - steps_, modulo 2^64.
  steps -= steps_;
  counter_.device().backend().copy_to_device(counter_.data(), &steps, sizeof steps,
                                             Stream::current(counter_.device()).handle());
}

}  // namespace gpuvae
