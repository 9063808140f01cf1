// Matrix products: matmul, and the dense layer with bias and activation in one kernel.
#include "kernels/math/functions.h"
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

struct Factor {
  const Tensor& tensor;
  bool transpose;
};
// Returns the arguments of c = op(a) op(b).
kernels::GemmArgs product_args(const Tensor& c, Factor a, Factor b, Precision precision) {
  kernels::GemmArgs args{.dtype = c.dtype(), .precision = precision};
  args.m = c.shape().rows();
  args.n = c.shape().columns();
  args.k = a.transpose ? a.tensor.shape().rows() : a.tensor.shape().columns();
  args.a = a.tensor.data();
  args.b = b.tensor.data();
  args.c = c.data();
  args.transpose_a = a.transpose;
  args.transpose_b = b.transpose;
  return args;
}
// Computes c (+)= op(a) op(b) and, if `sums` is defined, the column sums of `a`.
void multiply_into(const Tensor& c, bool accumulate, Factor a, Factor b, Precision precision = Precision::f32,
                   const Tensor& sums = {}) {
  kernels::GemmArgs args = product_args(c, a, b, precision);
  args.accumulate = accumulate;
  if (sums) args.sums = sums.data();
  backend(c).gemm(args, stream(c));
}

void check_linear(const Variable& x, const Variable& weight, const Variable& bias) {
  check_defined("linear", x, "x");
  check_defined("linear", weight, "weight");
  check_real("linear", x);
  check_like("linear", weight, x);
  check(weight.shape().rank() == 2 && weight.shape()[1] == x.shape().columns(), "linear",
        "expected a weight of [out, {}] for x {}, got {}", x.shape().columns(), x.shape(), weight.shape());
  if (!bias) return;
  check_like("linear", bias, x);
  check(bias.shape() == Shape{weight.shape()[0]}, "linear", "expected a bias of [{}], got {}",
        weight.shape()[0], bias.shape());
}

// Computes from d_y the gradient with respect to the activation's input and, if requested, d_bias in the same
// pass. The result overwrites d_y if no other tensor shares its memory.
Tensor before_activation(Tensor d_y, const Tensor& saved, Activation activation,
                         const BackwardContext::Destination& d_bias) {
  kernels::ActivationBackwardArgs args{.dtype = d_y.dtype(), .activation = activation};
  args.rows = d_y.shape().rows();
  args.columns = d_y.shape().columns();
  args.d_output = d_y.data();
  Tensor d_pre;
  if (activation == Activation::identity) {
    d_pre = d_y;
  } else {
    d_pre = d_y.is_sole_owner() ? d_y : empty_like(d_y);
    args.saved = saved.data();
    args.d_input = d_pre.data();
  }
  if (d_bias.tensor) {
    args.d_bias = d_bias.tensor.data();
    args.accumulate_bias = d_bias.accumulate;
  }
  backend(d_y).activation_backward(args, stream(d_y));
  return d_pre;
}

// The backward pass of a layer. If x is the output of another layer with ReLU, the matrix product that
// computes d_x also applies the derivative of that ReLU and computes the bias gradient of that layer
// (kernels::ReluMask).
class LinearBackward {
 public:
  LinearBackward(Activation activation, Precision precision, Saved x, Saved weight, Saved saved,
                 Tensor relu_bits)
      : activation_(activation),
        precision_(precision),
        x_(std::move(x)),
        weight_(std::move(weight)),
        saved_(std::move(saved)),
        relu_bits_(std::move(relu_bits)) {}

  void operator()(BackwardContext& context) const {
    // If true, the gradient is already that with respect to the ReLU's input, and d_bias is computed.
    const bool passed = context.gradient().fused;
    const Tensor &x = x_.get(), &weight = weight_.get(), &saved = saved_.get();
    BackwardContext::Destination d_weight = {}, d_bias = {};
    if (context.needs(kWeight)) d_weight = context.destination(kWeight);
    if (context.needs(kBias) && !passed) d_bias = context.destination(kBias);
    Tensor d_pre = context.take_gradient(), sums;
    // Without an activation, the product for d_weight also computes d_bias, so that d_y is read only once.
    if (activation_ == Activation::identity && d_weight.tensor && d_bias.tensor && !d_bias.accumulate)
      sums = d_bias.tensor;
    else if (!passed && (activation_ != Activation::identity || d_bias.tensor))
      d_pre = before_activation(std::move(d_pre), saved, activation_, d_bias);
    if (d_weight.tensor)
      multiply_into(d_weight.tensor, d_weight.accumulate, {d_pre, true}, {x, false}, precision_, sums);
    if (context.needs(kX)) backward_to_x(context, d_pre, weight);
  }

 private:
  static constexpr int kX = 0, kWeight = 1, kBias = 2;

  void backward_to_x(BackwardContext& context, const Tensor& d_pre, const Tensor& weight) const {
    const auto below = context.sole_producer<LinearBackward>(kX);
    if (below && below->backward->relu_bits_ && below->context.is_first_leaf_gradient(kBias)) {
      const Tensor d_x = context.destination(kX).tensor;
      below->gradient->fused = true;
      kernels::GemmArgs args = product_args(d_x, {d_pre, false}, {weight, false}, precision_);
      args.relu.bits = below->backward->relu_bits_.data();
      args.relu.output = below->backward->saved_.get().data();
      args.relu.d_bias = below->context.destination(kBias).tensor.data();
      return backend(d_x).gemm(args, stream(d_x));
    }
    const auto [d_x, accumulate] = context.destination(kX);
    multiply_into(d_x, accumulate, {d_pre, false}, {weight, false}, precision_);
  }

  Activation activation_;
  Precision precision_;
  Saved x_, weight_;
  Saved saved_;       // input of the activation's derivative
  Tensor relu_bits_;  // sign bits of the output, written by the forward product; or undefined
};

}  // namespace

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation,
                Precision precision) {
  check_enumerator("linear", "activation", activation);
  check_enumerator("linear", "precision", precision);
  check_linear(x, weight, bias);
  Tensor y = Tensor::empty({x.shape().rows(), weight.shape()[0]}, x.dtype(), x.device());
  kernels::GemmArgs args = product_args(y, {x.value(), false}, {weight.value(), true}, precision);
  args.activation = activation;
  args.bias = bias ? bias.value().data() : nullptr;
  // `saved` is the tensor from which the activation's derivative is computed.
  Tensor saved = activation == Activation::identity ? Tensor() : y;
  if (!math::slope_from_output(activation) && GraphAccess::needs_gradient({&x, &weight, &bias})) {
    saved = empty_like(y);
    args.activation_input = saved.data();
  }
  Tensor relu_bits;
  bool written = false;
  if (activation == Activation::relu && bias && GraphAccess::needs_gradient({&x, &bias}))
    if (const std::size_t bytes = backend(y).relu_mask_bytes(args.m, args.n)) {
      relu_bits = Tensor::empty({static_cast<std::int64_t>(bytes)}, DType::u8, y.device());
      args.relu = {.bits = relu_bits.data(), .written = &written};
    }
  backend(y).gemm(args, stream(y));
  const Saved no_tensor;
  return record(
      "linear", {&x, &weight, &bias}, y,
      LinearBackward(activation, precision, weight.requires_grad() ? Saved("linear", x.value()) : no_tensor,
                     x.requires_grad() ? Saved("linear", weight.value()) : no_tensor,
                     saved ? Saved("linear", saved) : no_tensor, written ? relu_bits : Tensor()));
}

Variable matmul(const Variable& a, const Variable& b, bool transpose_a, bool transpose_b) {
  check_defined("matmul", a, "a");
  check_defined("matmul", b, "b");
  check_real("matmul", a);
  check_like("matmul", b, a);
  const Shape &as = a.shape(), &bs = b.shape();
  check(as.rank() == 2 && bs.rank() == 2, "matmul", "expected two matrices, got {} and {}", as, bs);
  const std::int64_t m = as[transpose_a ? 1 : 0], k = as[transpose_a ? 0 : 1], n = bs[transpose_b ? 0 : 1];
  check(bs[transpose_b ? 1 : 0] == k, "matmul", "expected {} rows in op(b), got a {}{} and b {}{}", k, as,
        transpose_a ? " transposed" : "", bs, transpose_b ? " transposed" : "");
  Tensor c = Tensor::empty({m, n}, a.dtype(), a.device());
  multiply_into(c, false, {a.value(), transpose_a}, {b.value(), transpose_b});
  return record("matmul", {&a, &b}, c,
                [=, kept_a = Saved("matmul", a.value()),
                 kept_b = Saved("matmul", b.value())](BackwardContext& context) {
                  const Tensor &a = kept_a.get(), &b = kept_b.get();
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

namespace unfused {

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation) {
  check_linear(x, weight, bias);
  Variable y = matmul(reshape(x, {x.shape().rows(), x.shape().columns()}), weight, false, true);
  if (bias) y = y + bias;
  return activate(y, activation);
}

}  // namespace unfused
}  // namespace gpuvae
