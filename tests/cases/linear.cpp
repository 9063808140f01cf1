#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {

double activated(Activation a, double x) {
  switch (a) {
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::leaky_relu:
      return x > 0 ? x : 0.01f * x;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::softplus:
      return std::log1p(std::exp(x));
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::identity:
      break;
  }
  return x;
}

Case linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, Activation a, bool bias) {
  Case c{.operation = "linear"};
  c.name = "linear/" + std::string(name(a)) + Shape{rows, in, out}.text() + (bias ? "" : "_no_bias");
  const double scale = 1 / std::sqrt(static_cast<double>(in));
  c.inputs = {{{rows, in}, -1, 1}, {{out, in}, -2 * scale, 2 * scale}};
  if (bias) c.inputs.push_back({{out}, -0.5, 0.5});
  c.run = [=](auto v) { return Variables{linear(v[0], v[1], bias ? v[2] : Variable(), a)}; };
  c.unfused = [=](auto v) { return Variables{unfused::linear(v[0], v[1], bias ? v[2] : Variable(), a)}; };
  c.reference = [=](auto v) {
    Doubles y;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t o = 0; o < out; ++o) {
        double sum = bias ? v[2][o] : 0;
        for (std::int64_t i = 0; i < in; ++i) sum += v[0][r * in + i] * v[1][o * in + i];
        y.push_back(activated(a, sum));
      }
    return std::vector<Doubles>{y};
  };
  const auto product = static_cast<double>(rows * in * out);
  c.flops = 6 * product;
  c.forward_flops = 2 * product;
  // The forward pass reads x, w and b and writes y. The backward pass reads dy, x, w and, for an activation,
  // y, and writes dx, dw and db.
  const auto x = static_cast<double>(rows * in), w = static_cast<double>(in * out),
             y = static_cast<double>(rows * out), b = bias ? static_cast<double>(out) : 0;
  c.forward_bytes = 4 * (x + w + b + y);
  c.bytes = c.forward_bytes + 4 * (y + (a == Activation::identity ? 0 : y) + 2 * x + 2 * w + b);
  return c;
}

namespace {

Case matmul_case(std::int64_t m, std::int64_t k, std::int64_t n, bool ta, bool tb) {
  Case c{.operation = "matmul"};
  c.name = "matmul/" + Shape{m, k, n}.text() + (ta ? "t" : "n") + (tb ? "t" : "n");
  c.inputs = {{ta ? Shape{k, m} : Shape{m, k}}, {tb ? Shape{n, k} : Shape{k, n}}};
  c.run = [=](auto v) { return Variables{matmul(v[0], v[1], ta, tb)}; };
  c.reference = [=](auto v) {
    Doubles y;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t p = 0; p < k; ++p)
          sum += v[0][ta ? p * m + i : i * k + p] * v[1][tb ? j * k + p : p * n + j];
        y.push_back(sum);
      }
    return std::vector<Doubles>{y};
  };
  return c;
}

}  // namespace

std::vector<Case> linear_cases() {
  std::vector<Case> cases;
  for (const Activation a : all_activations()) {
    cases.push_back(linear_case(33, 17, 31, a));
    cases.push_back(linear_case(100, 256, 4, a));
    cases.push_back(linear_case(704, 2, 31, a));
  }
  cases.push_back(linear_case(100, 784, 256, Activation::relu));
  cases.push_back(linear_case(100, 256, 784, Activation::identity));
  cases.push_back(linear_case(100, 2, 256, Activation::relu));
  cases.push_back(linear_case(1, 1, 1, Activation::relu));
  cases.push_back(linear_case(1, 1000, 3, Activation::tanh));
  cases.push_back(linear_case(65, 3, 17, Activation::relu, false));
  cases.push_back(linear_case(70000, 2, 3, Activation::sigmoid));
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      cases.push_back(matmul_case(31, 65, 17, ta, tb));
      cases.push_back(matmul_case(1, 1, 1, ta, tb));
    }
  cases.push_back(matmul_case(256, 100, 784, true, false));
  return cases;
}

}  // namespace gpuvae::cases
