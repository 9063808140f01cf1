// Negative log likelihoods, which compute value and gradient in one pass and keep the gradient for the
// backward pass, and log densities per row, which compute the gradient in the backward pass.
#include <cmath>

#include "src/ops/density.h"
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
  args.x = slope.data();
  args.y = scaled.data();
  backend(slope).axpby(args, stream(slope));
  context.add(input, std::move(scaled));
}

Shape checked_shape(const Density& l, const Variable& params) {
  check_defined(l.name, params, l.params);
  check_real(l.name, params);
  const Shape& shape = params.shape();
  const int parameters = kernels::parameters_of(l.options.kind);
  if (parameters == 1) return shape;
  check(shape.rank() == 2 && shape[1] % parameters == 0, l.name,
        "expected params of [rows, {} columns] ({}), got {}", parameters, l.layout, shape);
  check(l.options.low <= l.options.high, l.name, "expected low <= high, got {} and {}", l.options.low,
        l.options.high);
  return {shape[0], shape[1] / parameters};
}

namespace {

void check_constant_target(const Density& l, const Variable& params, const Variable& target) {
  check_defined(l.name, target, "a target");
  check_like(l.name, target, params);
  check(!target.requires_grad(), l.name, "expected a constant target, got one that requires gradients");
}

}  // namespace

Shape checked_target(const Density& l, const Variable& params, const Variable& target) {
  const Shape shape = checked_shape(l, params);
  check_constant_target(l, params, target);
  check(target.shape() == shape, l.name, "expected a target of {}, got {}", shape, target.shape());
  return shape;
}
std::int64_t checked_repeats(const Density& l, const Variable& params, const Variable& target) {
  const Shape shape = checked_shape(l, params);
  check_constant_target(l, params, target);
  const std::int64_t rows = shape.rows(), given = target.shape().rows();
  check(target.shape().columns() == shape.columns() && (given > 0 ? rows % given == 0 : rows == 0) &&
            (rows > 0 || given == 0),
        l.name, "expected a target of [{} / n, {}], got {}", rows, shape.columns(), target.shape());
  return given > 0 ? rows / given : 1;
}

Variable negative_log_likelihood(const Density& l, const Variable& params, const Variable& target,
                                 double weight) {
  const Shape shape = checked_target(l, params, target);
  Tensor loss = scalar_like(params.value());
  Tensor slope = GraphAccess::needs_gradient({&params}) ? empty_like(params.value()) : Tensor();
  kernels::LikelihoodArgs args{.dtype = params.dtype(), .likelihood = l.options, .rows = shape.rows()};
  args.columns = shape.columns();
  args.weight = weight;
  args.params = params.value().data();
  args.target = target.value().data();
  args.loss = loss.data();
  args.d_params = slope ? slope.data() : nullptr;
  backend(loss).likelihood(args, stream(loss));
  // The backward pass frees the slope unless the graph is kept.
  return record(l.name, {&params}, std::move(loss), [slope](BackwardContext& context) mutable {
    add_scaled(context, 0, slope);
    if (!context.retains_graph()) slope = Tensor();
  });
}

Variable log_density(const Density& l, const Variable& params, const Variable& target) {
  const Shape shape = checked_shape(l, params);
  kernels::LogDensityArgs args{.dtype = params.dtype(), .likelihood = l.options, .rows = shape.rows()};
  args.columns = shape.columns();
  args.repeats = checked_repeats(l, params, target);
  Tensor out = Tensor::empty({args.rows, 1}, params.dtype(), params.device());
  args.params = params.value().data();
  args.target = target.value().data();
  args.out = out.data();
  backend(out).log_density(args, stream(out));
  return record(
      l.name, {&params}, std::move(out),
      [=, kept_params = Saved(l.name, params.value()),
       kept_target = Saved(l.name, target.value())](BackwardContext& context) {
        const Tensor& params = kept_params.get();
        kept_target.get();
        const Tensor d_rows = context.gradient_tensor();
        Tensor d_params = empty_like(params);
        backend(params).log_density_backward({args, d_rows.data(), d_params.data()}, stream(params));
        context.add(0, std::move(d_params));
      });
}

}  // namespace ops

namespace {

using namespace ops;
using kernels::LikelihoodKind;

Density bernoulli(const char* name) { return {name, {LikelihoodKind::bernoulli}, "logits"}; }
Density bernoulli_of_probability(const char* name) {
  return {name, {LikelihoodKind::bernoulli_of_probability}, "probabilities"};
}
Density continuous_bernoulli(const char* name) {
  return {name, {LikelihoodKind::continuous_bernoulli}, "logits"};
}
Density gaussian(const char* name, const GaussianOptions& o) {
  return {
      name, {LikelihoodKind::gaussian, o.sigmoid_mean, o.low, o.high}, "params", "mean, then log variance"};
}
Density laplace(const char* name, const LaplaceOptions& o) {
  return {name,
          {LikelihoodKind::laplace, o.sigmoid_location, o.low, o.high},
          "params",
          "location, then log scale"};
}

}  // namespace

Variable bce_with_logits(const Variable& logits, const Variable& target, double weight) {
  return negative_log_likelihood(bernoulli("bce_with_logits"), logits, target, weight);
}
Variable bce(const Variable& probabilities, const Variable& target, double weight) {
  return negative_log_likelihood(bernoulli_of_probability("bce"), probabilities, target, weight);
}
Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target, double weight) {
  return negative_log_likelihood(continuous_bernoulli("continuous_bernoulli_nll"), logits, target, weight);
}
Variable gaussian_nll(const Variable& params, const Variable& target, const GaussianOptions& options,
                      double weight) {
  return negative_log_likelihood(gaussian("gaussian_nll", options), params, target, weight);
}
Variable laplace_nll(const Variable& params, const Variable& target, const LaplaceOptions& options,
                     double weight) {
  return negative_log_likelihood(laplace("laplace_nll", options), params, target, weight);
}

Variable bernoulli_log_density(const Variable& logits, const Variable& target) {
  return log_density(bernoulli("bernoulli_log_density"), logits, target);
}
Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target) {
  return log_density(continuous_bernoulli("continuous_bernoulli_log_density"), logits, target);
}
Variable laplace_log_density(const Variable& params, const Variable& target, const LaplaceOptions& options) {
  return log_density(laplace("laplace_log_density", options), params, target);
}

namespace unfused {
namespace {

// The next three functions return the log density of each element.
Variable of_logits(const Variable& logits, const Variable& x) {
  return logits * x - activate(logits, Activation::softplus);
}
Variable of_continuous_logits(const Variable& logits, const Variable& x) {
  return logits * x - continuous_bernoulli_log_normalizer(logits);
}
Variable of_probabilities(const Variable& probabilities, const Variable& x) {
  constexpr double kMargin = 1e-7;  // see bce()
  const Variable p = clamp(probabilities, kMargin, 1 - kMargin);
  return log(p) * x + log(1 - p) * (1 - x);
}
// Returns a function that computes -2 times the log density, or 0 for `missing_values`, where x is NaN. The
// mean then takes the place of x, because the product of 0 and an infinite square would be NaN.
auto gaussian_element(const GaussianOptions& options, bool missing_values = false) {
  return [options, missing_values](const Variable& params, const Variable& x) {
    const std::int64_t width = params.shape().columns() / 2;
    Variable mean = columns(params, 0, width);
    if (options.sigmoid_mean) mean = activate(mean, Activation::sigmoid);
    const Variable v = clamp(columns(params, width, width), options.low, options.high);
    // 1 / sigma is applied as two equal factors, because it may overflow where the result does not.
    const Variable root = bounded_exp(-0.25 * v, 88, 709);
    constexpr double kLogTwoPi = 1.83787706640934548356;
    if (!missing_values) return square((mean - x) * root * root) + v + kLogTwoPi;
    const Variable observed = is_observed(x), target = fill_missing(x) + mean.value() * (1 - observed);
    return square((mean - target) * root * root) + observed * (v + kLogTwoPi);
  };
}
// Returns a function that computes the negative log density.
auto laplace_element(const LaplaceOptions& options) {
  return [options](const Variable& params, const Variable& x) {
    const std::int64_t width = params.shape().columns() / 2;
    Variable location = columns(params, 0, width);
    if (options.sigmoid_location) location = activate(location, Activation::sigmoid);
    const Variable s = clamp(columns(params, width, width), options.low, options.high);
    const Variable root = bounded_exp(-0.5 * s, 88, 709);
    return abs((location - x) * root) * root + s + std::log(2.0);
  };
}

}  // namespace

Variable bce_with_logits(const Variable& logits, const Variable& target, double weight) {
  return total(bernoulli("bce_with_logits"), logits, target, -weight, of_logits);
}
Variable bce(const Variable& probabilities, const Variable& target, double weight) {
  return total(bernoulli_of_probability("bce"), probabilities, target, -weight, of_probabilities);
}
Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target, double weight) {
  return total(continuous_bernoulli("continuous_bernoulli_nll"), logits, target, -weight,
               of_continuous_logits);
}
Variable gaussian_nll(const Variable& params, const Variable& target, const GaussianOptions& options,
                      double weight) {
  return total(gaussian("gaussian_nll", options), params, target, 0.5 * weight, gaussian_element(options));
}
Variable laplace_nll(const Variable& params, const Variable& target, const LaplaceOptions& options,
                     double weight) {
  return total(laplace("laplace_nll", options), params, target, weight, laplace_element(options));
}

Variable bernoulli_log_density(const Variable& logits, const Variable& target) {
  return row_sums(bernoulli("bernoulli_log_density"), logits, target, of_logits);
}
Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target) {
  return row_sums(continuous_bernoulli("continuous_bernoulli_log_density"), logits, target,
                  of_continuous_logits);
}
Variable gaussian_log_density(const Variable& params, const Variable& target,
                              const GaussianOptions& options) {
  return -0.5 *
         row_sums(gaussian("gaussian_log_density", options), params, target, gaussian_element(options));
}
Variable laplace_log_density(const Variable& params, const Variable& target, const LaplaceOptions& options) {
  return -row_sums(laplace("laplace_log_density", options), params, target, laplace_element(options));
}

}  // namespace unfused

Variable gaussian_log_density(const Variable& params, const Variable& target,
                              const GaussianOptions& options) {
  const Density density = gaussian("gaussian_log_density", options);
  // The kernel computes 1 / sigma, which exceeds the largest float for lower log variances.
  constexpr double kLowest = -176;
  if (options.low >= kLowest) return log_density(density, params, target);
  return -0.5 * row_sums(density, params, target, unfused::gaussian_element(options, true));
}

}  // namespace gpuvae
