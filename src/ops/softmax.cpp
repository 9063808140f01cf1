// Softmax and log-sum-exp. The kernel reduces each row of a matrix. For other axes, its input is transposed
// or reshaped to a single row.
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;
using kernels::Binary;
using kernels::Broadcast;

// Returns the softmax of each row of x. A tensor of any rank is treated as a matrix whose columns are the
// last axis.
Tensor softmax_value(const Tensor& x) {
  Tensor y = empty_like(x);
  backend(x).softmax({x.dtype(), x.shape().rows(), x.shape().columns(), x.data(), nullptr, y.data()},
                     stream(x));
  return y;
}
Tensor log_sum_exp_value(const Tensor& x) {
  Tensor out = Tensor::empty({x.shape().rows(), 1}, x.dtype(), x.device());
  backend(x).softmax({x.dtype(), x.shape().rows(), x.shape().columns(), x.data(), out.data(), nullptr},
                     stream(x));
  return out;
}

Tensor softmax_binary_value(Binary operation, const Tensor& a, const Tensor& b, Broadcast broadcast_b) {
  Tensor out = empty_like(a);
  backend(a).binary({a.dtype(), operation, a.shape().rows(), a.shape().columns(), a.data(), b.data(),
                     out.data(), Broadcast::none, broadcast_b},
                    stream(a));
  return out;
}

Variable log_sum_exp_of_rows(const Variable& x) {
  return record("log_sum_exp", {&x}, log_sum_exp_value(x.value()),
                [x = Saved("log_sum_exp", x.value())](BackwardContext& context) {
                  const Tensor y = softmax_value(x.get()), g = context.gradient_tensor();
                  context.add(0, softmax_binary_value(Binary::multiply, y, g, Broadcast::column));
                });
}

// d_x = y * (g - sum over the row of y * g), where g is the gradient of the output y.
Variable softmax_of_rows(const Variable& x) {
  Tensor y = softmax_value(x.value());
  return record("softmax", {&x}, y, [kept = Saved("softmax", y)](BackwardContext& context) {
    const Tensor& y = kept.get();
    const Tensor yg = softmax_binary_value(Binary::multiply, y, context.gradient_tensor(), Broadcast::none);
    const std::int64_t rows = y.shape().rows();
    const Tensor sums = Tensor::empty({rows, 1}, y.dtype(), y.device());
    backend(y).reduce({y.dtype(), Axis::columns, rows, y.shape().columns(), 1, yg.data(), sums.data()},
                      stream(y));
    const Tensor ys = softmax_binary_value(Binary::multiply, y, sums, Broadcast::column);
    context.add(0, softmax_binary_value(Binary::subtract, yg, ys, Broadcast::none));
  });
}

Variable as_matrix(const Variable& x) {
  return x.shape().rank() == 2 ? x : reshape(x, {x.shape().rows(), x.shape().columns()});
}

}  // namespace

Variable log_sum_exp(const Variable& x, Axis axis) {
  check_enumerator("log_sum_exp", "axis", axis);
  check_defined("log_sum_exp", x, "x");
  check_real("log_sum_exp", x);
  const Shape& shape = x.shape();
  if (axis == Axis::all) return reshape(log_sum_exp_of_rows(reshape(x, {1, shape.elements()})), {1});
  if (axis == Axis::columns) return log_sum_exp_of_rows(x);
  return reshape(log_sum_exp_of_rows(transpose(as_matrix(x))), {shape.columns()});
}

Variable softmax(const Variable& x, Axis axis) {
  check_enumerator("softmax", "axis", axis);
  check_defined("softmax", x, "x");
  check_real("softmax", x);
  const Shape& shape = x.shape();
  if (axis == Axis::all) return reshape(softmax_of_rows(reshape(x, {1, shape.elements()})), shape);
  if (axis == Axis::columns) return softmax_of_rows(x);
  return reshape(transpose(softmax_of_rows(transpose(as_matrix(x)))), shape);
}

}  // namespace gpuvae
