// Negative log likelihoods: value and gradient in one pass, the gradient kept for the backward pass. And log
// densities row by row, for evaluation.
#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {

namespace ops {

void add_scaled(BackwardContext& context, int input, const Tensor& slope) {
  const Gradient& g = context.gradient();
  if (g.kind == Gradient::Kind::constant && g.constant == 1) return context.add(input, slope);
  Tensor scaled = empty_like(slope);
  kernels::AxpbyArgs args{.dtype = slope.dtype(), .size = slope.elements()};
  args.alpha = g.kind == Gradient::Kind::tensor ? 1 : g.constant;
  args.device_alpha = g.kind == Gradient::Kind::tensor ? g.tensor.data() : nullptr;
  args.x = slope.data(), args.y = scaled.data();
  backend(slope).axpby(args, stream(slope));
  context.add(input, std::move(scaled));
}

}  // namespace ops

namespace {

using namespace ops;
using kernels::BceKind;

void check_target(const char* name, const Variable& target, const Variable& x, const Shape& shape) {
  check_defined(name, target, "a target");
  check_like(name, target, x);
  check(!target.requires_grad(), name, "expected a constant target, got one that requires gradients");
  check(target.shape() == shape, name, "expected a target of {}, got {}", shape, target.shape());
}

// The slope leaves with the backward pass unless the graph is kept.
Variable record_with_slope(const char* name, const Variable& x, Tensor loss, Tensor slope) {
  return record(name, {&x}, std::move(loss), [slope](BackwardContext& context) mutable {
    add_scaled(context, 0, slope);
    if (!context.retains_graph()) slope = Tensor();
  });
}

Variable bce_of(const char* name, BceKind kind, const Variable& x, const Variable& target, double weight) {
  check_defined(name, x, kind == BceKind::probabilities ? "probabilities" : "logits");
  check_target(name, target, x, x.shape());
  Tensor loss = scalar_like(x.value());
  Tensor slope = GraphAccess::needs_gradient({&x}) ? empty_like(x.value()) : Tensor();
  backend(loss).bce({x.dtype(), kind, x.shape().elements(), weight, x.value().data(), target.value().data(),
                     loss.data(), slope ? slope.data() : nullptr},
                    stream(loss));
  return record_with_slope(name, x, std::move(loss), std::move(slope));
}

std::int64_t gaussian_columns(const char* name, const Variable& params, const GaussianOptions& options) {
  check_defined(name, params, "params");
  check(params.shape().rank() == 2 && params.shape()[1] % 2 == 0, name,
        "expected params of [rows, 2 columns] (mean, then log variance), got {}", params.shape());
  check(options.low <= options.high, name, "expected low <= high, got {} and {}", options.low, options.high);
  return params.shape()[1] / 2;
}

// How many rows of `params` a row of the target stands for.
std::int64_t repeats_of(const char* name, const Variable& params, const Variable& target,
                        std::int64_t columns) {
  check_defined(name, target, "a target");
  check_like(name, target, params);
  check(!target.requires_grad(), name, "expected a constant target, got one that requires gradients");
  const std::int64_t rows = params.shape().rows(), given = target.shape().rows();
  check(target.shape().columns() == columns && (given > 0 ? rows % given == 0 : rows == 0) &&
            (rows > 0 || given == 0),
        name, "expected a target of [{} / n, {}], got {}", rows, columns, target.shape());
  return given > 0 ? rows / given : 1;
}

Variable log_density(kernels::Density density, const char* name, const Variable& params,
                     const Variable& target, std::int64_t columns, const GaussianOptions& options = {}) {
  kernels::LogDensityArgs args{.dtype = params.dtype(), .density = density, .rows = params.shape().rows()};
  args.columns = columns, args.repeats = repeats_of(name, params, target, columns);
  args.sigmoid_mean = options.sigmoid_mean, args.low = options.low, args.high = options.high;
  Tensor out = Tensor::empty({args.rows, 1}, params.dtype(), params.device());
  args.params = params.value().data(), args.target = target.value().data(), args.out = out.data();
  backend(out).log_density(args, stream(out));
  return out;
}

}  // namespace

Variable bce_with_logits(const Variable& logits, const Variable& target, double weight) {
  return bce_of("bce_with_logits", BceKind::logits, logits, target, weight);
}
Variable bce(const Variable& probabilities, const Variable& target, double weight) {
  return bce_of("bce", BceKind::probabilities, probabilities, target, weight);
}
Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target, double weight) {
  return bce_of("continuous_bernoulli_nll", BceKind::continuous_logits, logits, target, weight);
}

Variable gaussian_nll(const Variable& params, const Variable& target, const GaussianOptions& options,
                      double weight) {
  const std::int64_t width = gaussian_columns("gaussian_nll", params, options), rows = params.shape()[0];
  check_target("gaussian_nll", target, params, {rows, width});
  Tensor loss = scalar_like(params.value());
  Tensor slope = GraphAccess::needs_gradient({&params}) ? empty_like(params.value()) : Tensor();
  kernels::GaussianNllArgs args{.dtype = params.dtype(), .sigmoid_mean = options.sigmoid_mean, .rows = rows};
  args.columns = width, args.low = options.low, args.high = options.high, args.weight = weight;
  args.params = params.value().data(), args.target = target.value().data();
  args.loss = loss.data(), args.d_params = slope ? slope.data() : nullptr;
  backend(loss).gaussian_nll(args, stream(loss));
  return record_with_slope("gaussian_nll", params, std::move(loss), std::move(slope));
}

Variable bernoulli_log_density(const Variable& logits, const Variable& target) {
  check_defined("bernoulli_log_density", logits, "logits");
  if (GraphAccess::needs_gradient({&logits})) return unfused::bernoulli_log_density(logits, target);
  return log_density(kernels::Density::bernoulli, "bernoulli_log_density", logits, target,
                     logits.shape().columns());
}
Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target) {
  check_defined("continuous_bernoulli_log_density", logits, "logits");
  if (GraphAccess::needs_gradient({&logits}))
    return unfused::continuous_bernoulli_log_density(logits, target);
  return log_density(kernels::Density::continuous_bernoulli, "continuous_bernoulli_log_density", logits,
                     target, logits.shape().columns());
}
Variable gaussian_log_density(const Variable& params, const Variable& target,
                              const GaussianOptions& options) {
  const std::int64_t width = gaussian_columns("gaussian_log_density", params, options);
  if (GraphAccess::needs_gradient({&params})) return unfused::gaussian_log_density(params, target, options);
  return log_density(kernels::Density::gaussian, "gaussian_log_density", params, target, width, options);
}

namespace unfused {
namespace {

// The target as often as its rows stand for rows of `params`, in `shape`.
Variable repeated(const char* name, const Variable& params, const Variable& target, const Shape& shape) {
  const std::int64_t n = repeats_of(name, params, target, shape.columns());
  return (n == 1 ? target.value() : repeat_rows(target.value(), n)).reshape(shape);
}

// -2 log N(target | mean, exp(v)) of each element.
Variable twice_gaussian_nll(const Variable& params, const Variable& target, const GaussianOptions& options) {
  constexpr double kLogTwoPi = 1.83787706640934548356;
  const std::int64_t width = params.shape().columns() / 2;
  Variable mean = columns(params, 0, width);
  if (options.sigmoid_mean) mean = activate(mean, Activation::sigmoid);
  const Variable v = clamp(columns(params, width, width), options.low, options.high);
  return square((mean - target) * bounded_exp(-0.5 * v, 88, 709)) + v + kLogTwoPi;
}

}  // namespace

Variable bernoulli_log_density(const Variable& logits, const Variable& target) {
  const Variable t = repeated("bernoulli_log_density", logits, target, logits.shape());
  return sum(logits * t - activate(logits, Activation::softplus), Axis::columns);
}
Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target) {
  const Variable t = repeated("continuous_bernoulli_log_density", logits, target, logits.shape());
  return sum(logits * t - continuous_bernoulli_log_normalizer(logits), Axis::columns);
}
Variable gaussian_log_density(const Variable& params, const Variable& target,
                              const GaussianOptions& options) {
  const std::int64_t width = gaussian_columns("gaussian_log_density", params, options);
  const Variable t = repeated("gaussian_log_density", params, target, {params.shape()[0], width});
  return -0.5 * sum(twice_gaussian_nll(params, t, options), Axis::columns);
}

Variable bce_with_logits(const Variable& logits, const Variable& target, double weight) {
  check_target("bce_with_logits", target, logits, logits.shape());
  return weight * sum(activate(logits, Activation::softplus) - logits * target);
}

Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target, double weight) {
  check_target("continuous_bernoulli_nll", target, logits, logits.shape());
  return weight * sum(continuous_bernoulli_log_normalizer(logits) - logits * target);
}

Variable bce(const Variable& probabilities, const Variable& target, double weight) {
  check_target("bce", target, probabilities, probabilities.shape());
  constexpr double kMargin = 1e-7;  // as bce says
  const Variable p = clamp(probabilities, kMargin, 1 - kMargin);
  return -weight * sum(log(p) * target + log(1 - p) * (1 - target));
}

Variable gaussian_nll(const Variable& params, const Variable& target, const GaussianOptions& options,
                      double weight) {
  const std::int64_t width = gaussian_columns("gaussian_nll", params, options);
  check_target("gaussian_nll", target, params, {params.shape()[0], width});
  return 0.5 * weight * sum(twice_gaussian_nll(params, target, options));
}

}  // namespace unfused
}  // namespace gpuvae
