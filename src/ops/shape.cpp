// Sums, reshapes, slices of columns, repeated rows.
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;
using kernels::Axis;

Tensor reduce_value(Axis axis, const Tensor& x, Shape shape) {
  Tensor out = Tensor::empty(shape, x.dtype(), x.device());
  backend(x).reduce({x.dtype(), axis, x.shape().rows(), x.shape().columns(), 1, x.data(), out.data()},
                    stream(x));
  return out;
}

// `gradient`, a row or column or one element, repeated to `shape`.
Tensor spread(const Tensor& gradient, const Shape& shape, kernels::Broadcast broadcast) {
  const Tensor zeros = Tensor::zeros(shape, gradient.dtype(), gradient.device());
  backend(gradient).binary({gradient.dtype(), kernels::Binary::add, shape.rows(), shape.columns(),
                            zeros.data(), gradient.data(), zeros.data(), kernels::Broadcast::none, broadcast},
                           stream(gradient));
  return zeros;
}

Variable reduce(const char* name, Axis axis, kernels::Broadcast broadcast, const Variable& x, Shape out) {
  return record(name, {&x}, reduce_value(axis, x.value(), out),
                [=, shape = x.shape()](BackwardContext& context) {
                  if (context.gradient().kind == Gradient::Kind::constant)
                    return context.add_constant(0, context.gradient().constant);
                  context.add(0, spread(context.gradient_tensor(), shape, broadcast));
                });
}

}  // namespace

Variable sum(const Variable& x) {
  check_defined("sum", x, "x");
  return reduce("sum", Axis::all, kernels::Broadcast::scalar, x, {1});
}
Variable sum_rows(const Variable& x) {
  check_defined("sum_rows", x, "x");
  return reduce("sum_rows", Axis::rows, kernels::Broadcast::row, x, {x.shape().columns()});
}
Variable sum_columns(const Variable& x) {
  check_defined("sum_columns", x, "x");
  return reduce("sum_columns", Axis::columns, kernels::Broadcast::column, x, {x.shape().rows(), 1});
}

Variable reshape(const Variable& x, Shape shape) {
  check_defined("reshape", x, "x");
  return record("reshape", {&x}, x.value().reshape(shape), [shape = x.shape()](BackwardContext& context) {
    if (context.gradient().kind == Gradient::Kind::constant)
      return context.add_constant(0, context.gradient().constant);
    context.add(0, context.take_gradient().reshape(shape));
  });
}

Variable columns(const Variable& x, std::int64_t first, std::int64_t count) {
  check_defined("columns", x, "x");
  const std::int64_t rows = x.shape().rows(), width = x.shape().columns();
  check(first >= 0 && count >= 0 && first <= width - count, "columns",
        "expected columns within {}, got {} from {}", x.shape(), count, first);
  Tensor out = Tensor::empty({rows, count}, x.dtype(), x.device());
  backend(x.value()).copy_columns(
      {x.dtype(), rows, count, x.value().data(), width, first, out.data(), count, 0}, stream(x.value()));
  return record("columns", {&x}, out, [=, shape = x.shape()](BackwardContext& context) {
    const Tensor g = context.gradient_tensor();
    const auto [d_x, accumulate] = context.destination(0);
    if (!accumulate) d_x.fill(0);
    backend(g).copy_columns({g.dtype(), rows, count, g.data(), count, 0, d_x.data(), width, first, true},
                            stream(g));
  });
}

Tensor repeat_rows(const Tensor& x, std::int64_t n) {
  check_defined("repeat_rows", x, "x");
  check(n > 0, "repeat_rows", "expected to repeat rows once or more, got {}", n);
  const std::int64_t rows = x.shape().rows(), width = x.shape().columns();
  Tensor out = Tensor::empty({rows * n, width}, x.dtype(), x.device());
  backend(x).repeat_rows({x.dtype(), rows, width, n, x.data(), out.data()}, stream(x));
  return out;
}

}  // namespace gpuvae
