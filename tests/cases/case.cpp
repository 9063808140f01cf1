#include "tests/cases/case.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace gpuvae::cases {

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (auto* part : {elementwise_cases, operator_cases, shape_cases, softmax_cases, linear_cases,
                       posterior_cases, likelihood_cases, discrete_cases, log_density_cases, importance_cases,
                       mixture_cases, gated_linear_cases, flow_cases, random_cases})
      for (Case& c : part()) all.push_back(std::move(c));
    return all;
  }();
  return cases;
}

Doubles input_values(const Input& input, std::uint64_t salt) {
  std::mt19937_64 generator(salt * 7919 + 17);
  Doubles values(static_cast<std::size_t>(input.shape.elements()));
  for (double& v : values) {
    const double u = static_cast<double>(generator() >> 11) * 0x1p-53;
    v = input.low + (input.high - input.low) * u;
    if (input.step > 0) v = std::round(v / input.step) * input.step;
    if (std::fabs(v) < input.margin) v = std::copysign(input.margin, v);
    v = static_cast<float>(v);  // f32 and f64 get the same values
  }
  for (std::size_t i = 0, n = static_cast<std::size_t>(input.categories); n > 0 && i < values.size();
       i += n) {
    const auto chosen = std::min(n - 1, static_cast<std::size_t>(values[i] * static_cast<double>(n)));
    for (std::size_t j = 0; j < n; ++j) values[i + j] = j == chosen ? 1 : 0;
  }
  return values;
}

}  // namespace gpuvae::cases
