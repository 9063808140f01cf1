// The gated dense layer: one matrix product for values and gates, and one kernel that applies the gates.
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

constexpr const char* kGatedLinear = "gated_linear";

void check_gated(const Variable& x, const Variable& weight, const Variable& bias) {
  check_defined(kGatedLinear, x, "x");
  check_defined(kGatedLinear, weight, "weight");
  check_real(kGatedLinear, x);
  check(weight.shape().rank() == 2 && weight.shape()[0] % 2 == 0 && weight.shape()[1] == x.shape().columns(),
        kGatedLinear, "expected a weight of [2 out, {}] (values, then gates) for x {}, got {}",
        x.shape().columns(), x.shape(), weight.shape());
  check(!bias || bias.shape() == Shape{weight.shape()[0]}, kGatedLinear, "expected a bias of [{}], got {}",
        weight.shape()[0], bias ? bias.shape() : Shape{});
}

// Returns h * sigmoid(g) for x [rows, 2 columns], which holds h, then g.
Variable gate(const Variable& x) {
  const std::int64_t rows = x.shape()[0], columns = x.shape()[1] / 2;
  Tensor y = Tensor::empty({rows, columns}, x.dtype(), x.device());
  backend(y).gate({y.dtype(), rows, columns, x.value().data(), y.data()}, stream(y));
  return record(kGatedLinear, {&x}, y, [=, kept = Saved(kGatedLinear, x.value())](BackwardContext& context) {
    const Tensor& x = kept.get();
    const Tensor d_y = context.gradient_tensor();
    Tensor d_x = empty_like(x);
    backend(x).gate_backward({x.dtype(), rows, columns, x.data(), d_y.data(), d_x.data()}, stream(x));
    context.add(0, std::move(d_x));
  });
}

}  // namespace

Variable gated_linear(const Variable& x, const Variable& weight, const Variable& bias, Precision precision) {
  check_gated(x, weight, bias);
  return gate(linear(x, weight, bias, Activation::identity, precision));
}

namespace unfused {

Variable gated_linear(const Variable& x, const Variable& weight, const Variable& bias) {
  check_gated(x, weight, bias);
  const Variable both = unfused::linear(x, weight, bias);
  const std::int64_t out = weight.shape()[0] / 2;
  return columns(both, 0, out) * activate(columns(both, out, out), Activation::sigmoid);
}

}  // namespace unfused
}  // namespace gpuvae
