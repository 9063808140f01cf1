#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {
Case bce_case(bool logits, Shape s, double weight) {
  Case c{.operation = logits ? "bce_with_logits" : "bce"};
  c.name = c.operation + "/" + s.text();
  c.inputs = {logits ? Input{s, -6, 6} : Input{s, 0.02, 0.98}, {s, 0, 1, 0, false}};
  c.run = [=](auto v) { return Variables{(logits ? bce_with_logits : bce)(v[0], v[1], weight)}; };
  c.unfused = [=](auto v) {
    return Variables{(logits ? unfused::bce_with_logits : unfused::bce)(v[0], v[1], weight)};
  };
  c.reference = [=](auto v) {
    double sum = 0;
    for (std::size_t i = 0; i < v[0].size(); ++i) {
      const double p = logits ? 1 / (1 + std::exp(-v[0][i])) : v[0][i], t = v[1][i];
      sum -= t * std::log(p) + (1 - t) * std::log(1 - p);
    }
    return std::vector<Doubles>{{weight * sum}};
  };
  const auto n = static_cast<double>(s.elements());
  c.bytes = 12 * n;
  c.forward_bytes = 8 * n;
  c.flops = 12 * n;
  c.forward_flops = 8 * n;
  return c;
}

Case continuous_bernoulli_case(Shape s, double most, double weight) {
  Case c{.operation = "continuous_bernoulli_nll"};
  c.name = c.operation + "/" + s.text() + "_to_" + std::to_string(static_cast<int>(most));
  c.inputs = {{s, -most, most}, {s, 0, 1, 0, false}};
  c.run = [=](auto v) { return Variables{continuous_bernoulli_nll(v[0], v[1], weight)}; };
  c.unfused = [=](auto v) { return Variables{unfused::continuous_bernoulli_nll(v[0], v[1], weight)}; };
  // The formula of Loaiza-Ganem and Cunningham (2019): -log(C(p) p^t (1 - p)^(1 - t)) with
  // C(p) = 2 artanh(1 - 2 p) / (1 - 2 p).
  c.reference = [=](auto v) {
    long double sum = 0;
    for (std::size_t i = 0; i < v[0].size(); ++i) {
      const long double p = 1 / (1 + std::exp(-(long double)v[0][i])), t = v[1][i], u = 1 - 2 * p;
      sum -= std::log(2 * std::atanh(u) / u) + t * std::log(p) + (1 - t) * std::log(1 - p);
    }
    return std::vector<Doubles>{{static_cast<double>(weight * sum)}};
  };
  const auto n = static_cast<double>(s.elements());
  c.bytes = 12 * n;
  c.forward_bytes = 8 * n;
  c.flops = 22 * n;
  c.forward_flops = 14 * n;
  return c;
}

Case gaussian_nll_case(std::int64_t rows, std::int64_t width, bool sigmoid_mean, double weight) {
  Case c{.operation = "gaussian_nll"};
  c.name = "gaussian_nll/" + Shape{rows, width}.text() + (sigmoid_mean ? "_sigmoid" : "");
  // The log variances lie on both sides of the clip bounds -2 and 1.5.
  c.inputs = {{{rows, 2 * width}, -3, 3}, {{rows, width}, 0, 1, 0, false}};
  const GaussianOptions o{sigmoid_mean, -2, 1.5};
  c.run = [=](auto v) { return Variables{gaussian_nll(v[0], v[1], o, weight)}; };
  c.unfused = [=](auto v) { return Variables{unfused::gaussian_nll(v[0], v[1], o, weight)}; };
  c.reference = [=](auto v) {
    double sum = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < width; ++i) {
        double m = v[0][r * 2 * width + i];
        if (sigmoid_mean) m = 1 / (1 + std::exp(-m));
        const double variance = std::exp(std::min(std::max(v[0][r * 2 * width + width + i], -2.0), 1.5));
        const double d = v[1][r * width + i] - m;
        sum += 0.5 * std::log(2 * M_PI * variance) + d * d / (2 * variance);
      }
    return std::vector<Doubles>{{weight * sum}};
  };
  const auto n = static_cast<double>(rows * width);
  c.bytes = 20 * n;
  c.forward_bytes = 12 * n;
  c.flops = 19 * n;
  c.forward_flops = 13 * n;
  return c;
}

Case laplace_nll_case(std::int64_t rows, std::int64_t width, bool sigmoid_location, double weight) {
  Case c{.operation = "laplace_nll"};
  c.name = "laplace_nll/" + Shape{rows, width}.text() + (sigmoid_location ? "_sigmoid" : "");
  // The log scales lie on both sides of the clip bounds -2 and 1.5.
  c.inputs = {{{rows, 2 * width}, -3, 3}, {{rows, width}, 0, 1, 0, false}};
  const LaplaceOptions o{sigmoid_location, -2, 1.5};
  c.run = [=](auto v) { return Variables{laplace_nll(v[0], v[1], o, weight)}; };
  c.unfused = [=](auto v) { return Variables{unfused::laplace_nll(v[0], v[1], o, weight)}; };
  c.reference = [=](auto v) {
    double sum = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < width; ++i) {
        double m = v[0][r * 2 * width + i];
        if (sigmoid_location) m = 1 / (1 + std::exp(-m));
        const double scale = std::exp(std::min(std::max(v[0][r * 2 * width + width + i], -2.0), 1.5));
        sum -= std::log(std::exp(-std::fabs(v[1][r * width + i] - m) / scale) / (2 * scale));
      }
    return std::vector<Doubles>{{weight * sum}};
  };
  const auto n = static_cast<double>(rows * width);
  c.bytes = 20 * n;
  c.forward_bytes = 12 * n;
  c.flops = 16 * n;
  c.forward_flops = 10 * n;
  return c;
}

std::vector<Case> likelihood_cases() {
  std::vector<Case> cases;
  for (const Shape& s : {Shape{1, 1}, Shape{33, 31}, Shape{100, 784}, Shape{70000, 3}, Shape{3, 1000}})
    for (bool logits : {false, true}) cases.push_back(bce_case(logits, s, 0.01));
  for (const Shape& s : {Shape{1, 1}, Shape{33, 31}, Shape{100, 784}, Shape{70000, 3}, Shape{3, 1000}})
    for (double most : {1.5, 12.0}) cases.push_back(continuous_bernoulli_case(s, most, 0.01));
  for (bool sigmoid_mean : {false, true}) {
    cases.push_back(gaussian_nll_case(1, 1, sigmoid_mean, 1));
    cases.push_back(gaussian_nll_case(33, 17, sigmoid_mean, 0.5));
    cases.push_back(gaussian_nll_case(100, 560, sigmoid_mean, 0.01));
    cases.push_back(gaussian_nll_case(70000, 3, sigmoid_mean, 1e-3));
    cases.push_back(laplace_nll_case(1, 1, sigmoid_mean, 1));
    cases.push_back(laplace_nll_case(33, 17, sigmoid_mean, 0.5));
    cases.push_back(laplace_nll_case(100, 560, sigmoid_mean, 0.01));
    cases.push_back(laplace_nll_case(70000, 3, sigmoid_mean, 1e-3));
  }
  return cases;
}

}  // namespace gpuvae::cases
