// Calls every operation on undefined and on moved-from variables, each of which must be an error.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gpuvae/custom.h"
#include "gpuvae/ops.h"
#include "tests/devices.h"
#include "tests/error_calls.h"

namespace gpuvae {
namespace {

using test::call;
using test::devices;
using test::expect_errors;

using UnaryFunction = std::function<Variable(const Variable&)>;
const std::pair<const char*, UnaryFunction> kUnaryCalls[] = {
    {"minus", [](const Variable& v) { return -v; }},
    {"plus one", [](const Variable& v) { return v + 1; }},
    {"one minus", [](const Variable& v) { return 1 - v; }},
    {"one over", [](const Variable& v) { return 1 / v; }},
    {"affine", [](const Variable& v) { return affine(v, 2, 1); }},
    {"exp", [](const Variable& v) { return exp(v); }},
    {"log", [](const Variable& v) { return log(v); }},
    {"sqrt", [](const Variable& v) { return sqrt(v); }},
    {"square", [](const Variable& v) { return square(v); }},
    {"reciprocal", [](const Variable& v) { return reciprocal(v); }},
    {"abs", [](const Variable& v) { return abs(v); }},
    {"clamp", [](const Variable& v) { return clamp(v, 0, 1); }},
    {"activate", [](const Variable& v) { return activate(v, Activation::relu); }},
    {"log1p", [](const Variable& v) { return log1p(v); }},
    {"is_observed", [](const Variable& v) { return is_observed(v); }},
    {"fill_missing", [](const Variable& v) { return fill_missing(v); }},
    {"lgamma", [](const Variable& v) { return lgamma(v); }},
    {"digamma", [](const Variable& v) { return digamma(v); }},
    {"normalizer", [](const Variable& v) { return continuous_bernoulli_log_normalizer(v); }},
    {"continuous mean", [](const Variable& v) { return continuous_bernoulli_mean(v); }},
    {"sum", [](const Variable& v) { return sum(v); }},
    {"mean", [](const Variable& v) { return mean(v, Axis::rows); }},
    {"log_sum_exp", [](const Variable& v) { return log_sum_exp(v, Axis::columns); }},
    {"softmax", [](const Variable& v) { return softmax(v, Axis::all); }},
    {"reshape", [](const Variable& v) { return reshape(v, {1}); }},
    {"transpose", [](const Variable& v) { return transpose(v); }},
    {"columns", [](const Variable& v) { return columns(v, 0, 1); }},
    {"concat",
     [](const Variable& v) {
       return concat({v, v}, Axis::rows);
     }},
    {"linear", [](const Variable& v) { return linear(v, v, {}); }},
    {"unfused linear", [](const Variable& v) { return unfused::linear(v, v, {}); }},
    {"sample_full_covariance", [](const Variable& v) { return sample_full_covariance(v, {}).z; }},
    {"sample_posterior", [](const Variable& v) { return sample_posterior(v, {}); }},
    {"kl", [](const Variable& v) { return kl_divergence(v, PosteriorScale::log_variance); }},
    {"sample with kl", [](const Variable& v) { return sample_posterior_with_kl(v, {}).z; }},
    {"repeat_rows", [](const Variable& v) { return Variable(repeat_rows(v.value(), 2)); }},
    {"repeat_rows of a variable", [](const Variable& v) { return repeat_rows(v, 2); }},
    {"sample draws", [](const Variable& v) { return sample_posterior_draws(v, {}).z; }},
    {"importance", [](const Variable& v) { return importance_weighted_loss(v, {}, {}).loss; }},
};

using BinaryFunction = std::function<Variable(const Variable&, const Variable&)>;
const std::pair<const char*, BinaryFunction> kBinaryCalls[] = {
    {"add", [](const Variable& a, const Variable& b) { return a + b; }},
    {"subtract", [](const Variable& a, const Variable& b) { return a - b; }},
    {"multiply", [](const Variable& a, const Variable& b) { return a * b; }},
    {"divide", [](const Variable& a, const Variable& b) { return a / b; }},
    {"matmul", [](const Variable& a, const Variable& b) { return matmul(a, b, false, true); }},
    {"linear", [](const Variable& a, const Variable& b) { return linear(a, b, {}); }},
    {"concat",
     [](const Variable& a, const Variable& b) {
       return concat({a, b}, Axis::rows);
     }},
    {"bce_with_logits", [](const Variable& a, const Variable& b) { return bce_with_logits(a, b); }},
    {"bce", [](const Variable& a, const Variable& b) { return bce(a, b); }},
    {"continuous nll", [](const Variable& a, const Variable& b) { return continuous_bernoulli_nll(a, b); }},
    {"gaussian_nll", [](const Variable& a, const Variable& b) { return gaussian_nll(a, b); }},
    {"laplace_nll", [](const Variable& a, const Variable& b) { return laplace_nll(a, b); }},
    {"logistic nll", [](const Variable& a, const Variable& b) { return discretized_logistic_nll(a, b); }},
    {"poisson nll", [](const Variable& a, const Variable& b) { return poisson_nll(a, b); }},
    {"negative binomial nll",
     [](const Variable& a, const Variable& b) { return negative_binomial_nll(a, b); }},
    {"zero-inflated nll",
     [](const Variable& a, const Variable& b) { return zero_inflated_negative_binomial_nll(a, b); }},
    {"categorical nll",
     [](const Variable& a, const Variable& b) {
       return categorical_nll(a, b, {std::vector<std::int64_t>{4}, Device::cpu()});
     }},
    {"logistic density",
     [](const Variable& a, const Variable& b) { return discretized_logistic_log_density(a, b); }},
    {"poisson density", [](const Variable& a, const Variable& b) { return poisson_log_density(a, b); }},
    {"negative binomial density",
     [](const Variable& a, const Variable& b) { return negative_binomial_log_density(a, b); }},
    {"zero-inflated density",
     [](const Variable& a, const Variable& b) { return zero_inflated_negative_binomial_log_density(a, b); }},
    {"categorical density",
     [](const Variable& a, const Variable& b) {
       return categorical_log_density(a, b, {std::vector<std::int64_t>{4}, Device::cpu()});
     }},
    {"bernoulli density", [](const Variable& a, const Variable& b) { return bernoulli_log_density(a, b); }},
    {"continuous density",
     [](const Variable& a, const Variable& b) { return continuous_bernoulli_log_density(a, b); }},
    {"gaussian density", [](const Variable& a, const Variable& b) { return gaussian_log_density(a, b); }},
    {"laplace density", [](const Variable& a, const Variable& b) { return laplace_log_density(a, b); }},
    {"gated_linear", [](const Variable& a, const Variable& b) { return gated_linear(a, b, {}); }},
    {"planar_flow", [](const Variable& a, const Variable& b) { return planar_flow(a, b).z; }},
    {"autoregressive_step", [](const Variable& a, const Variable& b) { return autoregressive_step(a, b).z; }},
    {"mixture", [](const Variable& a,
                   const Variable& b) { return mixture_log_density(a, b, PosteriorScale::log_sigma, {}); }},
};

void expect_errors_of(const Variable& bad, const Variable& x) {
  for (const auto& [name, f] : kUnaryCalls) expect_errors({{name, call([&, &f = f] { return f(bad); })}});
  for (const auto& [name, f] : kBinaryCalls)
    expect_errors({{name, call([&, &f = f] { return f(bad, x); })},
                   {std::string(name) + ", second", call([&, &f = f] { return f(x, bad); })}});
  const auto no_gradients = [](const Tensor&, const CustomContext&) { return std::vector<Tensor>(); };
  expect_errors({
      {"backward", [&] { bad.backward(); }},
      {"set_grad_storage", [&] { bad.set_grad_storage(x.value()); }},
      {"zero_stored_grad", [&] { bad.zero_stored_grad(); }},
      {"a leaf", call([&] { return Variable(bad.value(), true); })},
      {"custom, input", call([&] { return custom("mine", {bad}, x.value(), no_gradients); })},
      {"custom, value", call([&] { return custom("mine", {x}, bad.value(), no_gradients); })},
      {"custom, no backward", call([&] { return custom("mine", {x}, x.value(), {}); })},
  });
  EXPECT_FALSE(bad.grad());
  bad.zero_grad();
}

TEST(HandlesOnDevice, EveryOperationRefusesUndefinedVariables) {
  for (const Device device : devices()) {
    const Variable x(Tensor::full({2, 4}, 0.5, DType::f32, device));
    expect_errors_of({}, x);
    Variable source(Tensor::full({2, 4}, 0.5, DType::f32, device), true);
    const Variable moved_to = std::move(source);
    expect_errors_of(source, x);  // NOLINT: the moved-from variable is what this test is about
    EXPECT_TRUE(moved_to.requires_grad());
  }
}

}  // namespace
}  // namespace gpuvae
