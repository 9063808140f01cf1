#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {

Case gated_linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, bool bias) {
  Case c{.operation = "gated_linear"};
  c.name = "gated_linear/" + Shape{rows, in, out}.text() + (bias ? "" : "_no_bias");
  const double scale = 2 / std::sqrt(static_cast<double>(in));
  c.inputs = {{{rows, in}, -1, 1}, {{2 * out, in}, -scale, scale}};
  if (bias) c.inputs.push_back({{2 * out}, -0.5, 0.5});
  c.run = [=](auto v) { return Variables{gated_linear(v[0], v[1], bias ? v[2] : Variable())}; };
  c.unfused = [=](auto v) { return Variables{unfused::gated_linear(v[0], v[1], bias ? v[2] : Variable())}; };
  c.reference = [=](auto v) {
    const auto product = [&](std::int64_t r, std::int64_t o) {
      double sum = bias ? v[2][o] : 0;
      for (std::int64_t i = 0; i < in; ++i) sum += v[0][r * in + i] * v[1][o * in + i];
      return sum;
    };
    Doubles y;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t o = 0; o < out; ++o)
        y.push_back(product(r, o) / (1 + std::exp(-product(r, out + o))));
    return std::vector<Doubles>{y};
  };
  const auto product = static_cast<double>(rows * in * 2 * out);
  c.flops = 6 * product;
  c.forward_flops = 2 * product;
  // The forward pass reads x, w and b and writes y. The backward pass reads dy, x, w and the 2 out sums, and
  // writes dx, dw and db.
  const auto x = static_cast<double>(rows * in), w = static_cast<double>(2 * in * out),
             y = static_cast<double>(rows * out), b = bias ? static_cast<double>(2 * out) : 0;
  c.forward_bytes = 4 * (x + w + b + y);
  c.bytes = c.forward_bytes + 4 * (3 * y + 2 * x + 2 * w + b);
  return c;
}

std::vector<Case> gated_linear_cases() {
  return {gated_linear_case(1, 1, 1),      gated_linear_case(17, 5, 3),
          gated_linear_case(8, 6, 4),      gated_linear_case(33, 12, 20, false),
          gated_linear_case(100, 64, 130), gated_linear_case(600, 4, 64)};
}

}  // namespace gpuvae::cases
