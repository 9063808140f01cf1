// Unary primitives, and binary primitives with broadcasting.
#include <optional>

#include "kernels/math/functions.h"
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;
using kernels::Binary;
using kernels::Broadcast;
using kernels::Unary;

Tensor unary_value(Unary operation, const Tensor& x, double a = 1, double b = 0) {
  Tensor y = empty_like(x);
  backend(x).unary({x.dtype(), operation, x.elements(), a, b, x.data(), y.data()}, stream(x));
  return y;
}

Variable unary(Unary operation, const Variable& x, double a = 1, double b = 0) {
  const char* name = kernels::name(operation);
  check_defined(name, x, "x");
  check_real(name, x);
  Tensor y = unary_value(operation, x.value(), a, b);
  return record(
      name, {&x}, y,
      [=, kept = Saved(name, math::slope_from_output(operation) ? y : x.value())](BackwardContext& context) {
        const Tensor& saved = kept.get();
        const Tensor d_y = context.take_gradient();
        Tensor d_x = d_y.is_sole_owner() ? d_y : empty_like(d_y);
        backend(d_y).unary_backward(
            {d_y.dtype(), operation, d_y.elements(), a, b, saved.data(), d_y.data(), d_x.data()},
            stream(d_y));
        context.add(0, std::move(d_x));
      });
}

// Returns how shape `s` is broadcast to `out`, or nothing if that is impossible.
std::optional<Broadcast> broadcast_of(const Shape& s, const Shape& out) {
  if (s == out) return Broadcast::none;
  if (s.elements() == 1) return Broadcast::scalar;
  if (s.elements() == s.columns() && s.columns() == out.columns()) return Broadcast::row;
  if (s.columns() == 1 && s.rows() == out.rows()) return Broadcast::column;
  return {};
}

Tensor binary_value(Binary operation, const Shape& out, const Tensor& a, Broadcast broadcast_a,
                    const Tensor& b, Broadcast broadcast_b) {
  Tensor y = Tensor::empty(out, a.dtype(), a.device());
  backend(a).binary({a.dtype(), operation, out.rows(), out.columns(), a.data(), b.data(), y.data(),
                     broadcast_a, broadcast_b},
                    stream(a));
  return y;
}

// Sums a gradient of the output's shape over the dimensions that were broadcast and multiplies it by `scale`.
// The result has the input's `shape`.
Tensor reduced_to(const Shape& shape, Broadcast broadcast, const Tensor& gradient, double scale) {
  const Shape& s = gradient.shape();
  Tensor result = Tensor::empty(shape, gradient.dtype(), gradient.device());
  if (broadcast == Broadcast::none) {
    if (scale == 1) return gradient;
    kernels::AxpbyArgs args{.dtype = gradient.dtype(), .size = s.elements(), .alpha = scale};
    args.x = gradient.data();
    args.y = result.data();
    backend(gradient).axpby(args, stream(gradient));
    return result;
  }
  const Axis axis = broadcast == Broadcast::row      ? Axis::rows
                    : broadcast == Broadcast::column ? Axis::columns
                                                     : Axis::all;
  backend(gradient).reduce(
      {gradient.dtype(), axis, s.rows(), s.columns(), scale, gradient.data(), result.data()},
      stream(gradient));
  return result;
}

Variable binary(const char* name, Binary operation, const Variable& a, const Variable& b) {
  check_defined(name, a, "a");
  check_defined(name, b, "b");
  check_real(name, a);
  check_like(name, b, a);
  const Shape out = broadcast_of(b.shape(), a.shape()) ? a.shape() : b.shape();
  const std::optional<Broadcast> fit_a = broadcast_of(a.shape(), out), fit_b = broadcast_of(b.shape(), out);
  check(fit_a.has_value(), name,
        "expected shapes of which one broadcasts to the other (as a row, a column or one element), got {} "
        "and {}",
        a.shape(), b.shape());
  const Broadcast broadcast_a = *fit_a, broadcast_b = *fit_b;
  Tensor y = binary_value(operation, out, a.value(), broadcast_a, b.value(), broadcast_b);
  const bool product = operation == Binary::multiply || operation == Binary::divide;
  // The gradients of sums and differences do not depend on the inputs.
  const Saved av = product ? Saved(name, a.value()) : Saved(),
              bv = product ? Saved(name, b.value()) : Saved();
  return record(
      name, {&a, &b}, y,
      [=, y = operation == Binary::divide ? Saved(name, y) : Saved(), a_shape = a.shape(),
       b_shape = b.shape()](BackwardContext& context) {
        const Tensor g = context.gradient_tensor();
        const auto pass = [&](int input, const Shape& shape, Broadcast broadcast, const Tensor& gradient,
                              double scale = 1) {
          context.add(input, reduced_to(shape, broadcast, gradient, scale));
        };
        if (context.needs(0)) {
          pass(0, a_shape, broadcast_a,
               product ? binary_value(operation, out, g, Broadcast::none, bv.get(), broadcast_b) : g);
        }
        if (!context.needs(1)) return;
        if (operation == Binary::multiply) {
          pass(1, b_shape, broadcast_b,
               binary_value(Binary::multiply, out, g, Broadcast::none, av.get(), broadcast_a));
        } else if (operation == Binary::divide) {  // d(a/b)/db = -y / b
          const Tensor gy = binary_value(Binary::multiply, out, g, Broadcast::none, y.get(), Broadcast::none);
          pass(1, b_shape, broadcast_b,
               binary_value(Binary::divide, out, gy, Broadcast::none, bv.get(), broadcast_b), -1);
        } else {
          pass(1, b_shape, broadcast_b, g, operation == Binary::subtract ? -1 : 1);
        }
      });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) { return binary("add", Binary::add, a, b); }
Variable subtract(const Variable& a, const Variable& b) { return binary("subtract", Binary::subtract, a, b); }
Variable multiply(const Variable& a, const Variable& b) { return binary("multiply", Binary::multiply, a, b); }
Variable divide(const Variable& a, const Variable& b) { return binary("divide", Binary::divide, a, b); }

Variable affine(const Variable& x, double scale, double shift) {
  check_defined("affine", x, "x");
  check_real("affine", x);
  return record("affine", {&x}, unary_value(Unary::affine, x.value(), scale, shift),
                [scale](BackwardContext& context) {
                  if (context.gradient().kind == Gradient::Kind::constant)
                    return context.add_constant(0, scale * context.gradient().constant);
                  context.add(0, unary_value(Unary::affine, context.gradient_tensor(), scale, 0));
                });
}

Variable exp(const Variable& x) { return unary(Unary::exp, x); }
Variable log(const Variable& x) { return unary(Unary::log, x); }
Variable sqrt(const Variable& x) { return unary(Unary::sqrt, x); }
Variable abs(const Variable& x) { return unary(Unary::abs, x); }
Variable lgamma(const Variable& x) { return unary(Unary::lgamma, x); }
Variable digamma(const Variable& x) { return unary(Unary::digamma, x); }
Variable log1p(const Variable& x) { return unary(Unary::log1p, x); }
Variable is_observed(const Variable& x) { return unary(Unary::is_observed, x); }
Variable fill_missing(const Variable& x) { return unary(Unary::fill_missing, x); }
Variable square(const Variable& x) { return unary(Unary::square, x); }
Variable reciprocal(const Variable& x) { return unary(Unary::reciprocal, x); }
Variable clamp(const Variable& x, double low, double high) {
  check(low <= high, "clamp", "expected low <= high, got {} and {}", low, high);
  return unary(Unary::clamp, x, low, high);
}

Variable continuous_bernoulli_log_normalizer(const Variable& logits) {
  return unary(Unary::continuous_bernoulli_log_normalizer, logits);
}
Variable continuous_bernoulli_mean(const Variable& logits) {
  return unary(Unary::continuous_bernoulli_mean, logits);
}

Variable activate(const Variable& x, Activation activation) {
  check_enumerator("activate", "activation", activation);
  return activation == Activation::identity ? x : unary(kernels::unary_of(activation), x);
}

}  // namespace gpuvae
