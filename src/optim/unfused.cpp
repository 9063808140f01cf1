// Optimiser updates as sequences of primitive operations, each of which passes over memory once.
#include <cmath>

#include "gpuvae/optim.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"

namespace gpuvae {
namespace {

using kernels::Binary;
using kernels::Unary;

// Primitive operations on whole tensors of one size, in place.
class Primitives {
 public:
  explicit Primitives(const Tensor& like)
      : backend_(like.device().backend()), stream_(Stream::current(like.device()).handle()) {}

  // y = a x + b y
  void axpby(double a, const Tensor& x, double b, const Tensor& y) const {
    if (y.elements() == 0) return;
    backend_.axpby({.size = y.elements(), .alpha = a, .beta = b, .x = x.data(), .y = y.data()}, stream_);
  }
  void unary(Unary operation, const Tensor& x, const Tensor& y, double a = 1, double b = 0) const {
    backend_.unary(
        {.operation = operation, .size = x.elements(), .a = a, .b = b, .x = x.data(), .y = y.data()},
        stream_);
  }
  // out = operation(a, b), where b has as many elements as a, or one.
  void binary(Binary operation, const Tensor& a, const Tensor& b, const Tensor& out) const {
    backend_.binary(
        {.operation = operation,
         .rows = 1,
         .columns = a.elements(),
         .a = a.data(),
         .b = b.data(),
         .out = out.data(),
         .broadcast_b = b.elements() == a.elements() ? kernels::Broadcast::none : kernels::Broadcast::scalar},
        stream_);
  }
  void sum(const Tensor& x, const Tensor& out) const {
    backend_.reduce({.rows = 1, .columns = x.elements(), .x = x.data(), .out = out.data()}, stream_);
  }

 private:
  kernels::Backend& backend_;
  kernels::StreamHandle stream_;
};

// g *= min(1, most / ||g||)
void clip(const Primitives& on, double most, const Tensor& g) {
  const Tensor scale = Tensor::empty({1}, g.dtype(), g.device()),
               squares = Tensor::empty(g.shape(), g.dtype(), g.device());
  on.unary(Unary::square, g, squares);
  on.sum(squares, scale);
  on.unary(Unary::sqrt, scale, scale);
  on.unary(Unary::reciprocal, scale, scale);
  on.unary(Unary::affine, scale, scale, most);
  on.unary(Unary::clamp, scale, scale, 0, 1);
  on.binary(Binary::multiply, g, scale, g);
}

}  // namespace

namespace unfused {

void optimizer_step(const OptimizerOptions& o, std::uint64_t step, std::int64_t decayed,
                    const Tensor& parameters, const Tensor& gradients, const Tensor& state1,
                    const Tensor& state2) {
  check_enumerator("optimizer_step", "kind", o.kind);
  const bool adam = o.kind == OptimizerKind::adam || o.kind == OptimizerKind::adamw;
  for (const Tensor& t : {gradients, state1, adam ? state2 : state1})
    check(t && t.elements() == parameters.elements(), "optimizer_step",
          "expected tensors of {} elements, got {}", parameters.elements(), t ? t.elements() : 0);
  check(decayed >= 0 && decayed <= parameters.elements(), "optimizer_step",
        "expected 0 to {} decayed elements, got {}", parameters.elements(), decayed);
  const Primitives on(parameters);
  const auto first = [&](const Tensor& t) { return t.slice(0, decayed); };
  const bool changes = o.clip_norm > 0 || (o.l2 > 0 && o.kind != OptimizerKind::adamw);
  const Tensor g = changes ? gradients.clone() : gradients,
               t = Tensor::empty(g.shape(), g.dtype(), g.device());
  if (o.clip_norm > 0) clip(on, o.clip_norm, g);
  if (o.kind == OptimizerKind::adamw) {
    on.axpby(0, first(parameters), 1 - o.learning_rate * o.l2, first(parameters));
  } else if (o.l2 > 0) {
    on.axpby(2 * o.l2, first(parameters), 1, first(g));
  }
  if (o.kind == OptimizerKind::sgd) {
    if (o.beta1 != 0) on.axpby(1, g, o.beta1, state1);
    on.axpby(-o.learning_rate, o.beta1 != 0 ? state1 : g, 1, parameters);
    return;
  }
  // t receives the square root of the second moment, and then the update.
  const Tensor& second = adam ? state2 : state1;
  const bool sums = o.kind == OptimizerKind::adagrad, epsilon_inside = o.kind == OptimizerKind::rmsprop_tf1;
  on.unary(Unary::square, g, t);
  on.axpby(sums ? 1 : 1 - o.beta2, t, sums ? 1 : o.beta2, second);
  const double n = static_cast<double>(step + 1);
  const double correction = adam ? 1 / (1 - std::pow(o.beta2, n)) : 1;
  on.unary(Unary::affine, second, t, correction, epsilon_inside ? o.epsilon : 0);
  on.unary(Unary::sqrt, t, t);
  if (!epsilon_inside) on.unary(Unary::affine, t, t, 1, o.epsilon);
  double rate = o.learning_rate;
  if (adam) {
    on.axpby(1 - o.beta1, g, o.beta1, state1);
    rate /= 1 - std::pow(o.beta1, n);
  }
  on.binary(Binary::divide, adam ? state1 : g, t, t);
  on.axpby(-rate, t, 1, parameters);
}

}  // namespace unfused
}  // namespace gpuvae
