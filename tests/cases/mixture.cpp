#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

// Sums the densities of the components rather than their logarithms, in long double, whose exponent range
// suffices for all cases.
double log_density(const double* z, std::int64_t latent, std::int64_t components, PosteriorScale scale,
                   const Doubles& component_params, const Doubles* log_weights, std::int64_t left_out) {
  long double sum = 0;
  for (std::int64_t k = 0; k < components; ++k) {
    if (k == left_out) continue;
    long double density = log_weights ? std::exp(static_cast<long double>((*log_weights)[k]))
                                      : 1 / static_cast<long double>(components - (left_out < 0 ? 0 : 1));
    for (std::int64_t d = 0; d < latent; ++d) {
      const long double mean = component_params[k * 2 * latent + d],
                        sigma = sigma_of(scale, component_params[k * 2 * latent + latent + d]);
      const long double u = (z[d] - mean) / sigma;
      density *= std::exp(-u * u / 2) / (sigma * std::sqrt(2 * M_PIl));
    }
    sum += density;
  }
  return static_cast<double>(std::log(sum));
}

// The component that a row leaves out, or -1.
std::int32_t left_out_of(const MixtureSetting& s, std::int64_t row) {
  return s.left_out && row % 3 != 2 ? static_cast<std::int32_t>(row * 5 % s.components) : -1;
}

Tensor left_out_rows(const MixtureSetting& s, Device device) {
  if (!s.left_out) return {};
  std::vector<std::int32_t> numbers;
  for (std::int64_t r = 0; r < s.rows; ++r) numbers.push_back(left_out_of(s, r));
  return Tensor::from(std::span<const std::int32_t>(numbers), {s.rows}, device);
}

}  // namespace

Case mixture_case(const MixtureSetting& s) {
  Case c{.operation = "mixture_log_density"};
  c.name = c.operation + "/" + std::string(name(s.scale)) + Shape{s.rows, s.latent, s.components}.text() +
           (s.weighted ? "_weighted" : "") + (s.left_out ? "_left_out" : "") + (s.spread > 2 ? "_far" : "");
  c.inputs = {{{s.rows, s.latent}, -s.spread, s.spread}, {{s.components, 2 * s.latent}, -s.spread, s.spread}};
  if (s.weighted) c.inputs.push_back({{s.components}, -3, 1});
  const auto wrap = [=](auto density) {
    return [=](std::span<const Variable> v) {
      return Variables{
          density(v[0], v[1], s.scale, s.weighted ? v[2] : Variable(), left_out_rows(s, v[0].device()))};
    };
  };
  c.run = wrap(mixture_log_density);
  if (s.spread <= 2) c.unfused = wrap(unfused::mixture_log_density);
  c.reference = [=](auto v) {
    Doubles out;
    for (std::int64_t r = 0; r < s.rows; ++r)
      out.push_back(log_density(v[0].data() + r * s.latent, s.latent, s.components, s.scale, v[1],
                                s.weighted ? &v[2] : nullptr, left_out_of(s, r)));
    return std::vector<Doubles>{out};
  };
  const auto terms = static_cast<double>(s.rows * s.latent * s.components);
  c.flops = 20 * terms;
  c.forward_flops = 4 * terms;
  const auto z = static_cast<double>(s.rows * s.latent),
             components = static_cast<double>(s.components * (2 * s.latent + (s.weighted ? 1 : 0)));
  c.forward_bytes = 4 * (z + components + static_cast<double>(s.rows));
  c.bytes = c.forward_bytes + 4 * (2 * (z + components) + static_cast<double>(s.rows));
  return c;
}

std::vector<Case> mixture_cases() {
  std::vector<Case> cases;
  for (int scale = 0; scale <= static_cast<int>(PosteriorScale::softplus); ++scale)
    for (bool weighted : {false, true}) {
      cases.push_back(mixture_case({1, 1, 1, PosteriorScale(scale), weighted}));
      cases.push_back(mixture_case({33, 3, 10, PosteriorScale(scale), weighted}));
      cases.push_back(mixture_case({9, 4, 5, PosteriorScale(scale), weighted}));
    }
  cases.push_back(mixture_case({70, 10, 300, PosteriorScale::log_variance, true}));  // several tiles
  cases.push_back(mixture_case({7, 3, 300, PosteriorScale::log_variance, false}));
  cases.push_back(mixture_case({300, 2, 17, PosteriorScale::log_variance, true}));
  cases.push_back(mixture_case({5, 40, 70}));
  cases.push_back(mixture_case({.rows = 40, .latent = 3, .components = 40, .left_out = true}));
  cases.push_back(mixture_case({.rows = 10, .latent = 2, .components = 300, .left_out = true}));
  cases.push_back(mixture_case({.rows = 3, .latent = 2, .components = 2, .left_out = true}));
  // The log density is about -1000 nats here, where plain exponentials underflow. Floats of this size have a
  // resolution of 1e-4 nats.
  cases.push_back(mixture_case({20, 40, 7, PosteriorScale::log_variance, true, 4}));
  cases.back().gradient_tolerance = 1e-3;
  return cases;
}

}  // namespace gpuvae::cases
