// Matrix products: matmul, and the dense layer with bias and activation in one kernel.
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

struct Factor {
  const Tensor& tensor;
  bool transpose;
};
// c (+)= op(a) op(b)
void multiply_into(const Tensor& c, bool accumulate, Factor a, Factor b,
                   Precision precision = Precision::f32) {
  kernels::GemmArgs args{.dtype = c.dtype(), .precision = precision};
  args.m = c.shape().rows(), args.n = c.shape().columns();
  args.k = a.transpose ? a.tensor.shape().rows() : a.tensor.shape().columns();
  args.a = a.tensor.data(), args.b = b.tensor.data(), args.c = c.data();
  args.transpose_a = a.transpose, args.transpose_b = b.transpose, args.accumulate = accumulate;
  backend(c).gemm(args, stream(c));
}

void check_linear(const Variable& x, const Variable& weight, const Variable& bias) {
  check_defined("linear", x, "x");
  check_defined("linear", weight, "weight");
  check_like("linear", weight, x);
  check(weight.shape().rank() == 2 && weight.shape()[1] == x.shape().columns(), "linear",
        "expected a weight of [out, {}] for x {}, got {}", x.shape().columns(), x.shape(), weight.shape());
  if (!bias) return;
  check_like("linear", bias, x);
  check(bias.shape() == Shape{weight.shape()[0]}, "linear", "expected a bias of [{}], got {}",
        weight.shape()[0], bias.shape());
}

// d_bias and the gradient before the activation, in one pass over d_output; then two products.
void linear_backward(BackwardContext& context, const Tensor& x, const Tensor& weight, const Tensor& y,
                     Activation activation, Precision precision) {
  const Tensor d_y = context.take_gradient();
  const bool bias = context.needs(2);
  Tensor d_pre = d_y;
  if (bias || activation != Activation::identity) {
    kernels::ActivationBackwardArgs args{.dtype = d_y.dtype(), .activation = activation};
    args.rows = d_y.shape().rows(), args.columns = d_y.shape().columns();
    args.d_output = d_y.data();
    if (activation != Activation::identity) {
      if (!d_y.is_sole_owner()) d_pre = empty_like(d_y);
      args.output = y.data(), args.d_input = d_pre.data();
    }
    if (bias) {
      const auto [d_bias, accumulate] = context.destination(2);
      args.d_bias = d_bias.data(), args.accumulate_bias = accumulate;
    }
    backend(d_y).activation_backward(args, stream(d_y));
  }
  if (context.needs(1)) {
    const auto [d_weight, accumulate] = context.destination(1);
    multiply_into(d_weight, accumulate, {d_pre, true}, {x, false}, precision);
  }
  if (context.needs(0)) {
    const auto [d_x, accumulate] = context.destination(0);
    multiply_into(d_x, accumulate, {d_pre, false}, {weight, false}, precision);
  }
}

}  // namespace

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation,
                Precision precision) {
  check_linear(x, weight, bias);
  Tensor y = Tensor::empty({x.shape().rows(), weight.shape()[0]}, x.dtype(), x.device());
  kernels::GemmArgs args{.dtype = y.dtype(), .precision = precision};
  args.m = y.shape()[0], args.n = y.shape()[1], args.k = x.shape().columns();
  args.a = x.value().data(), args.b = weight.value().data(), args.c = y.data();
  args.transpose_b = true, args.activation = activation;
  args.bias = bias ? bias.value().data() : nullptr;
  backend(y).gemm(args, stream(y));
  return record("linear", {&x, &weight, &bias}, y,
                [activation, precision, x_value = weight.requires_grad() ? x.value() : Tensor(),
                 weight_value = x.requires_grad() ? weight.value() : Tensor(),
                 y = activation == Activation::identity ? Tensor() : y](BackwardContext& context) {
                  linear_backward(context, x_value, weight_value, y, activation, precision);
                });
}

Variable matmul(const Variable& a, const Variable& b, bool transpose_a, bool transpose_b) {
  check_defined("matmul", a, "a");
  check_defined("matmul", b, "b");
  check_like("matmul", b, a);
  const Shape &as = a.shape(), &bs = b.shape();
  check(as.rank() == 2 && bs.rank() == 2, "matmul", "expected two matrices, got {} and {}", as, bs);
  const std::int64_t m = as[transpose_a ? 1 : 0], k = as[transpose_a ? 0 : 1], n = bs[transpose_b ? 0 : 1];
  check(bs[transpose_b ? 1 : 0] == k, "matmul", "expected {} rows in op(b), got a {}{} and b {}{}", k, as,
        transpose_a ? " transposed" : "", bs, transpose_b ? " transposed" : "");
  Tensor c = Tensor::empty({m, n}, a.dtype(), a.device());
  multiply_into(c, false, {a.value(), transpose_a}, {b.value(), transpose_b});
  return record("matmul", {&a, &b}, c, [=, a = a.value(), b = b.value()](BackwardContext& context) {
    const Tensor g = context.gradient_tensor();
    if (context.needs(0)) {
      const auto [d_a, accumulate] = context.destination(0);
      if (transpose_a)
        multiply_into(d_a, accumulate, {b, transpose_b}, {g, true});
      else
        multiply_into(d_a, accumulate, {g, false}, {b, !transpose_b});
    }
    if (context.needs(1)) {
      const auto [d_b, accumulate] = context.destination(1);
      if (transpose_b)
        multiply_into(d_b, accumulate, {g, true}, {a, transpose_a});
      else
        multiply_into(d_b, accumulate, {a, !transpose_a}, {g, false});
    }
  });
}

namespace composed {

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation) {
  check_linear(x, weight, bias);
  Variable y = matmul(reshape(x, {x.shape().rows(), x.shape().columns()}), weight, false, true);
  if (bias) y = add(y, bias);
  return activate(y, activation);
}

}  // namespace composed
}  // namespace gpuvae
