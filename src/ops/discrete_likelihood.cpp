// The likelihoods of bytes and of counts.
#include "src/ops/density.h"

namespace gpuvae {
namespace {

using namespace ops;
using kernels::LikelihoodKind;

// Beyond these bounds of the log scale, distances in units of the scale may overflow.
constexpr double kLargestLogScale = 30;

Density discretized_logistic(const char* name, const DiscretizedLogisticOptions& o) {
  check(o.low >= -kLargestLogScale && o.high <= kLargestLogScale, name,
        "expected bounds of the log scale in [-{0}, {0}], got {1} and {2}", kLargestLogScale, o.low, o.high);
  return {name,
          {LikelihoodKind::discretized_logistic, o.sigmoid_location, o.low, o.high},
          "params",
          "location, then log scale"};
}
Density poisson(const char* name) { return {name, {LikelihoodKind::poisson}, "log_mean"}; }
Density negative_binomial(const char* name) {
  return {name, {LikelihoodKind::negative_binomial}, "params", "log mean, then log inverse dispersion"};
}
Density zero_inflated_negative_binomial(const char* name) {
  return {name,
          {LikelihoodKind::zero_inflated_negative_binomial},
          "params",
          "log mean, log inverse dispersion, then gate logit"};
}

}  // namespace

Variable discretized_logistic_nll(const Variable& params, const Variable& target,
                                  const DiscretizedLogisticOptions& options, double weight) {
  return negative_log_likelihood(discretized_logistic("discretized_logistic_nll", options), params, target,
                                 weight);
}
Variable poisson_nll(const Variable& log_mean, const Variable& target, double weight) {
  return negative_log_likelihood(poisson("poisson_nll"), log_mean, target, weight);
}
Variable negative_binomial_nll(const Variable& params, const Variable& target, double weight) {
  return negative_log_likelihood(negative_binomial("negative_binomial_nll"), params, target, weight);
}
Variable zero_inflated_negative_binomial_nll(const Variable& params, const Variable& target, double weight) {
  return negative_log_likelihood(zero_inflated_negative_binomial("zero_inflated_negative_binomial_nll"),
                                 params, target, weight);
}

Variable discretized_logistic_log_density(const Variable& params, const Variable& target,
                                          const DiscretizedLogisticOptions& options) {
  return log_density(discretized_logistic("discretized_logistic_log_density", options), params, target);
}
Variable poisson_log_density(const Variable& log_mean, const Variable& target) {
  return log_density(poisson("poisson_log_density"), log_mean, target);
}
Variable negative_binomial_log_density(const Variable& params, const Variable& target) {
  return log_density(negative_binomial("negative_binomial_log_density"), params, target);
}
Variable zero_inflated_negative_binomial_log_density(const Variable& params, const Variable& target) {
  return log_density(zero_inflated_negative_binomial("zero_inflated_negative_binomial_log_density"), params,
                     target);
}

namespace unfused {
namespace {

// The functions below return the log density of each element.

// log P(x | m, exp(l)), where x is v / 255. The weights are 1 for the first and the last byte, respectively,
// and 0 for others.
auto discretized_logistic_element(const DiscretizedLogisticOptions& options) {
  return [options](const Variable& params, const Variable& x) {
    const std::int64_t width = params.shape().columns() / 2;
    const double magic = x.dtype() == DType::f32 ? 0x1.8p23 : 0x1.8p52;
    const Variable v = affine(affine(x, 255, magic), 1, -magic);
    const Variable first = clamp(1 - v, 0, 1), last = clamp(v - 254, 0, 1);
    Variable m = columns(params, 0, width);
    if (options.sigmoid_location) m = activate(m, Activation::sigmoid);
    const Variable rate = exp(-clamp(columns(params, width, width), options.low, options.high));
    const Variable lower = v * (1. / 256) - m, a = (lower + 1. / 256) * rate, b = lower * rate;
    const Variable inside = log(1 - exp(rate * (-1. / 256)));
    return (1 - first) * (1 - last) * inside - (1 - last) * activate(-a, Activation::softplus) -
           (1 - first) * activate(b, Activation::softplus);
  };
}

Variable poisson_element(const Variable& log_mean, const Variable& x) {
  return x * log_mean - exp(log_mean) - lgamma(x + 1);
}

Variable negative_binomial_of(const Variable& e, const Variable& r, const Variable& x) {
  const Variable k = exp(r);
  return lgamma(x + k) - lgamma(k) - lgamma(x + 1) - k * activate(e - r, Activation::softplus) -
         x * activate(r - e, Activation::softplus);
}
Variable negative_binomial_element(const Variable& params, const Variable& x) {
  const std::int64_t width = params.shape().columns() / 2;
  return negative_binomial_of(columns(params, 0, width), columns(params, width, width), x);
}

Variable zero_inflated_element(const Variable& params, const Variable& x) {
  const std::int64_t width = params.shape().columns() / 3;
  const Variable e = columns(params, 0, width), r = columns(params, width, width),
                 gate = columns(params, 2 * width, width);
  const Variable drawn = -(exp(r) * activate(e - r, Activation::softplus)) - gate;
  const Variable empty = activate(drawn, Activation::softplus) - activate(-gate, Activation::softplus);
  const Variable counted = negative_binomial_of(e, r, x) - activate(gate, Activation::softplus);
  const Variable positive = clamp(x, 0, 1);  // counts are whole numbers
  return positive * counted + (1 - positive) * empty;
}

}  // namespace

Variable discretized_logistic_nll(const Variable& params, const Variable& target,
                                  const DiscretizedLogisticOptions& options, double weight) {
  return total(discretized_logistic("discretized_logistic_nll", options), params, target, -weight,
               discretized_logistic_element(options));
}
Variable poisson_nll(const Variable& log_mean, const Variable& target, double weight) {
  return total(poisson("poisson_nll"), log_mean, target, -weight, poisson_element);
}
Variable negative_binomial_nll(const Variable& params, const Variable& target, double weight) {
  return total(negative_binomial("negative_binomial_nll"), params, target, -weight,
               negative_binomial_element);
}
Variable zero_inflated_negative_binomial_nll(const Variable& params, const Variable& target, double weight) {
  return total(zero_inflated_negative_binomial("zero_inflated_negative_binomial_nll"), params, target,
               -weight, zero_inflated_element);
}

Variable discretized_logistic_log_density(const Variable& params, const Variable& target,
                                          const DiscretizedLogisticOptions& options) {
  return row_sums(discretized_logistic("discretized_logistic_log_density", options), params, target,
                  discretized_logistic_element(options));
}
Variable poisson_log_density(const Variable& log_mean, const Variable& target) {
  return row_sums(poisson("poisson_log_density"), log_mean, target, poisson_element);
}
Variable negative_binomial_log_density(const Variable& params, const Variable& target) {
  return row_sums(negative_binomial("negative_binomial_log_density"), params, target,
                  negative_binomial_element);
}
Variable zero_inflated_negative_binomial_log_density(const Variable& params, const Variable& target) {
  return row_sums(zero_inflated_negative_binomial("zero_inflated_negative_binomial_log_density"), params,
                  target, zero_inflated_element);
}

}  // namespace unfused
}  // namespace gpuvae
