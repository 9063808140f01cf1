#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

using Run = std::function<Variable(const Variable&, const Variable&)>;
using Pixel = std::function<double(const double* params, std::int64_t width, double target)>;

struct Likelihood {
  const char* operation;
  Run run, unfused;
  std::int64_t parameters;  // parameters per pixel
  double most;              // largest magnitude of a parameter
  // `params` points at the pixel's first parameter; the second one is `width` elements later.
  Pixel log_density;
  double most_target = 1,
         step = 0;  // targets are from 0 to most_target, multiples of the step if it is not 0
};

GaussianOptions options(bool sigmoid_mean) { return {sigmoid_mean, -2, 1.5}; }

double gaussian_pixel(const double* params, std::int64_t width, double target, bool sigmoid_mean) {
  const double mean = sigmoid_mean ? 1 / (1 + std::exp(-params[0])) : params[0], d = target - mean;
  const double variance = std::exp(std::min(std::max(params[width], -2.0), 1.5));
  return -0.5 * std::log(2 * M_PI * variance) - d * d / (2 * variance);
}

double laplace_pixel(const double* params, std::int64_t width, double target, bool sigmoid_location) {
  const double location = sigmoid_location ? 1 / (1 + std::exp(-params[0])) : params[0];
  const double scale = std::exp(std::min(std::max(params[width], -2.0), 1.5));
  return std::log(std::exp(-std::fabs(target - location) / scale) / (2 * scale));
}

std::vector<Likelihood> likelihoods() {
  const auto bernoulli = [](const double* l, std::int64_t, double t) {
    return t * *l - std::log(1 + std::exp(*l));
  };
  const auto continuous = [](const double* l, std::int64_t, double t) {
    return t * *l - static_cast<double>(std::log(std::expm1(static_cast<long double>(*l)) / *l));
  };
  std::vector<Likelihood> all = {
      {"bernoulli_log_density", bernoulli_log_density, unfused::bernoulli_log_density, 1, 6, bernoulli},
      {"continuous_bernoulli_log_density", continuous_bernoulli_log_density,
       unfused::continuous_bernoulli_log_density, 1, 6, continuous}};
  for (bool s : {false, true})
    all.push_back({"gaussian_log_density",
                   [s](auto& x, auto& t) { return gaussian_log_density(x, t, options(s)); },
                   [s](auto& x, auto& t) { return unfused::gaussian_log_density(x, t, options(s)); }, 2, 3,
                   [s](const double* x, std::int64_t w, double t) { return gaussian_pixel(x, w, t, s); }});
  for (bool s : {false, true})
    all.push_back({"laplace_log_density",
                   [s](auto& x, auto& t) {
                     return laplace_log_density(x, t, {s, -2, 1.5});
                   },
                   [s](auto& x, auto& t) {
                     return unfused::laplace_log_density(x, t, {s, -2, 1.5});
                   },
                   2, 3,
                   [s](const double* x, std::int64_t w, double t) { return laplace_pixel(x, w, t, s); }});
  all.push_back(
      {"discretized_logistic_log_density",
       [](auto& x, auto& t) { return discretized_logistic_log_density(x, t, kDiscreteOptions); },
       [](auto& x, auto& t) { return unfused::discretized_logistic_log_density(x, t, kDiscreteOptions); }, 2,
       3, discretized_logistic_element, 1, 1.0 / 255});
  all.push_back({"poisson_log_density", poisson_log_density, unfused::poisson_log_density, 1, 2.5,
                 poisson_element, 12, 1});
  all.push_back({"negative_binomial_log_density", negative_binomial_log_density,
                 unfused::negative_binomial_log_density, 2, 2.5, negative_binomial_element, 12, 1});
  all.push_back({"zero_inflated_negative_binomial_log_density", zero_inflated_negative_binomial_log_density,
                 unfused::zero_inflated_negative_binomial_log_density, 3, 2.5, zero_inflated_element, 12, 1});
  return all;
}

Case log_density_case(const Likelihood& l, std::int64_t targets, std::int64_t n, std::int64_t width,
                      bool differentiable) {
  Case c{.operation = l.operation};
  c.name = c.operation + "/" + Shape{targets, n, width}.text() + (differentiable ? "_gradient" : "");
  const std::int64_t rows = targets * n, row_width = l.parameters * width;
  c.inputs = {{{rows, row_width}, -l.most, l.most, 0, differentiable},
              {{targets, width}, 0, l.most_target, 0, false, l.step}};
  c.run = [=](auto v) { return Variables{l.run(v[0], v[1])}; };
  c.unfused = [=](auto v) { return Variables{l.unfused(v[0], v[1])}; };
  c.reference = [=](auto v) {
    Doubles out(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows * width; ++i)
      out[i / width] += l.log_density(v[0].data() + i / width * row_width + i % width, width,
                                      v[1][i / width / n * width + i % width]);
    return std::vector<Doubles>{out};
  };
  const auto parameters = static_cast<double>(rows * row_width);
  c.forward_bytes = 4 * (parameters + static_cast<double>(targets * width + rows));
  c.bytes = c.forward_bytes + (differentiable ? 8 * parameters : 0);
  return c;
}

Case repeat_rows_case(std::int64_t rows, std::int64_t width, std::int64_t n, bool differentiable = false) {
  Case c{.operation = "repeat_rows"};
  c.name = c.operation + "/" + Shape{rows, width, n}.text() + (differentiable ? "_gradient" : "");
  c.inputs = {{{rows, width}, -1, 1, 0, differentiable}};
  c.run = [=](auto v) {
    return Variables{differentiable ? repeat_rows(v[0], n) : Variable(repeat_rows(v[0].value(), n))};
  };
  c.reference = [=](auto v) {
    Doubles out;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < n; ++i)
        out.insert(out.end(), v[0].begin() + r * width, v[0].begin() + (r + 1) * width);
    return std::vector<Doubles>{out};
  };
  return c;
}

}  // namespace

std::vector<Case> log_density_cases(std::int64_t targets, std::int64_t n, std::int64_t width,
                                    bool differentiable) {
  std::vector<Case> cases;
  for (const Likelihood& l : likelihoods())
    cases.push_back(log_density_case(l, targets, n, width, differentiable));
  return cases;
}

std::vector<Case> log_density_cases() {
  std::vector<Case> cases;
  const auto add = [&](std::int64_t targets, std::int64_t n, std::int64_t width) {
    for (bool differentiable : {false, true})
      for (Case& c : log_density_cases(targets, n, width, differentiable)) cases.push_back(std::move(c));
  };
  add(1, 1, 1), add(11, 3, 31), add(5, 20, 784), add(1, 3, 1000);
  cases.push_back(log_density_case(likelihoods().front(), 70000, 1, 3, false));
  cases.push_back(repeat_rows_case(1, 1, 1));
  cases.push_back(repeat_rows_case(33, 17, 5));
  cases.push_back(repeat_rows_case(3, 784, 50));
  cases.push_back(repeat_rows_case(70000, 2, 2));
  cases.push_back(repeat_rows_case(33, 17, 5, true));
  cases.push_back(repeat_rows_case(20, 100, 50, true));
  return cases;
}

}  // namespace gpuvae::cases
