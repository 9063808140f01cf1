// Sums, means, reshape, transpose, slices of columns, concatenation and repetition of rows.
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

using kernels::Broadcast;

Tensor reduce_value(Axis axis, const Tensor& x, Shape shape, double scale) {
  Tensor out = Tensor::empty(shape, x.dtype(), x.device());
  backend(x).reduce({x.dtype(), axis, x.shape().rows(), x.shape().columns(), scale, x.data(), out.data()},
                    stream(x));
  return out;
}

// Returns scale * gradient, broadcast to `shape`. `broadcast` says whether `gradient` is a row, a column or
// one element.
Tensor spread(const Tensor& gradient, const Shape& shape, Broadcast broadcast, double scale) {
  if (scale != 1) {
    const Tensor scaled = empty_like(gradient);
    kernels::AxpbyArgs args{.dtype = gradient.dtype(), .size = gradient.elements(), .alpha = scale};
    args.x = gradient.data();
    args.y = scaled.data();
    backend(gradient).axpby(args, stream(gradient));
    return spread(scaled, shape, broadcast, 1);
  }
  const Tensor zeros = Tensor::zeros(shape, gradient.dtype(), gradient.device());
  backend(gradient).binary({gradient.dtype(), kernels::Binary::add, shape.rows(), shape.columns(),
                            zeros.data(), gradient.data(), zeros.data(), Broadcast::none, broadcast},
                           stream(gradient));
  return zeros;
}

Shape reduced_shape(const Shape& shape, Axis axis) {
  if (axis == Axis::all) return {1};
  return axis == Axis::rows ? Shape{shape.columns()} : Shape{shape.rows(), 1};
}
Broadcast broadcast_along(Axis axis) {
  if (axis == Axis::all) return Broadcast::scalar;
  return axis == Axis::rows ? Broadcast::row : Broadcast::column;
}

Variable reduce(const char* name, Axis axis, const Variable& x, double scale) {
  check_enumerator(name, "axis", axis);
  return record(name, {&x}, reduce_value(axis, x.value(), reduced_shape(x.shape(), axis), scale),
                [=, shape = x.shape()](BackwardContext& context) {
                  if (context.gradient().kind == Gradient::Kind::constant)
                    return context.add_constant(0, scale * context.gradient().constant);
                  context.add(0, spread(context.gradient_tensor(), shape, broadcast_along(axis), scale));
                });
}

Tensor transposed(const Tensor& x) {
  const std::int64_t rows = x.shape().rows(), width = x.shape().columns();
  Tensor out = Tensor::empty({width, rows}, x.dtype(), x.device());
  backend(x).transpose({x.dtype(), rows, width, x.data(), out.data()}, stream(x));
  return out;
}

// A concatenation is computed as copies of columns. With Axis::rows, each part is contiguous in the result,
// so the matrices are treated as slices of one long row.
struct Layout {
  std::int64_t rows = 1;
  std::vector<std::int64_t> widths;
  std::int64_t width = 0;
};

Layout layout_of(std::span<const Variable> parts, Axis axis) {
  Layout layout;
  if (axis == Axis::columns) layout.rows = parts[0].shape().rows();
  for (const Variable& part : parts) {
    layout.widths.push_back(axis == Axis::columns ? part.shape().columns() : part.shape().elements());
    layout.width += layout.widths.back();
  }
  return layout;
}

void check_parts(std::span<const Variable> parts, Axis axis) {
  check(!parts.empty(), "concat", "expected at least one part, got none");
  check_enumerator("concat", "axis", axis);
  check(axis != Axis::all, "concat", "expected axis rows or columns, got {}", name(axis));
  for (const Variable& part : parts) {
    check_defined("concat", part, "every part");
    check_like("concat", part, parts[0]);
    const Shape &shape = part.shape(), &first = parts[0].shape();
    const bool fits = axis == Axis::rows ? shape.columns() == first.columns() : shape.rows() == first.rows();
    check(fits, "concat", "expected parts with as many {} as the first part {}, got {}",
          axis == Axis::rows ? "columns" : "rows", first, shape);
  }
}

}  // namespace

Variable sum(const Variable& x, Axis axis) {
  check_defined("sum", x, "x");
  check_real("sum", x);
  return reduce("sum", axis, x, 1);
}
Variable mean(const Variable& x, Axis axis) {
  check_defined("mean", x, "x");
  check_real("mean", x);
  const Shape& shape = x.shape();
  const std::int64_t count = axis == Axis::all    ? shape.elements()
                             : axis == Axis::rows ? shape.rows()
                                                  : shape.columns();
  check(count > 0, "mean", "expected at least one element to average, got {}", shape);
  return reduce("mean", axis, x, 1 / static_cast<double>(count));
}

Variable transpose(const Variable& x) {
  check_defined("transpose", x, "x");
  check(x.shape().rank() == 2, "transpose", "expected 2 dimensions, got {}", x.shape());
  return record("transpose", {&x}, transposed(x.value()), [](BackwardContext& context) {
    if (context.gradient().kind == Gradient::Kind::constant)
      return context.add_constant(0, context.gradient().constant);
    context.add(0, transposed(context.gradient_tensor()));
  });
}

Variable concat(std::span<const Variable> parts, Axis axis) {
  check_parts(parts, axis);
  const Layout layout = layout_of(parts, axis);
  const std::int64_t width = parts[0].shape().columns();
  const Shape shape = axis == Axis::columns ? Shape{layout.rows, layout.width}
                                            : Shape{width == 0 ? 0 : layout.width / width, width};
  const Tensor out = Tensor::empty(shape, parts[0].dtype(), parts[0].device());
  std::vector<const Variable*> inputs;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t count = layout.widths[i];
    backend(out).copy_columns(
        {out.dtype(), layout.rows, count, parts[i].value().data(), count, 0, out.data(), layout.width, first},
        stream(out));
    first += count;
    inputs.push_back(&parts[i]);
  }
  return record("concat", inputs, out, [layout](BackwardContext& context) {
    const Tensor g = context.gradient_tensor();
    std::int64_t from = 0;
    for (std::size_t i = 0; i < layout.widths.size(); ++i) {
      const std::int64_t count = layout.widths[i];
      if (context.needs(static_cast<int>(i))) {
        const auto [d_part, accumulate] = context.destination(static_cast<int>(i));
        backend(g).copy_columns({g.dtype(), layout.rows, count, g.data(), layout.width, from, d_part.data(),
                                 count, 0, accumulate},
                                stream(g));
      }
      from += count;
    }
  });
}
Variable concat(std::initializer_list<Variable> parts, Axis axis) {
  return concat(std::span(parts.begin(), parts.size()), axis);
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
        "expected columns within {}, got {} columns from column {}", x.shape(), count, first);
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
  check(n > 0, "repeat_rows", "expected 1 or more repetitions, got {}", n);
  const std::int64_t rows = x.shape().rows(), width = x.shape().columns();
  Tensor out = Tensor::empty({rows * n, width}, x.dtype(), x.device());
  backend(x).repeat_rows({x.dtype(), rows, width, n, x.data(), out.data()}, stream(x));
  return out;
}
Variable repeat_rows(const Variable& x, std::int64_t n) {
  check_defined("repeat_rows", x, "x");
  return record("repeat_rows", {&x}, repeat_rows(x.value(), n),
                [n, shape = x.shape()](BackwardContext& context) {
                  const Tensor g = context.gradient_tensor();
                  Tensor d_x = Tensor::empty(shape, g.dtype(), g.device());
                  backend(g).sum_repeats({g.dtype(), shape.rows(), shape.columns(), n, g.data(), d_x.data()},
                                         stream(g));
                  context.add(0, std::move(d_x));
                });
}

}  // namespace gpuvae
