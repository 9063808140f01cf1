#include "src/distributions/discrete_draws.h"

#include <bit>
#include <cmath>
#include <numbers>

#include "gpuvae/ops.h"

namespace gpuvae {
namespace {

// A generator for one element, whose state starts from that element's random number (splitmix64).
class ElementGenerator {
 public:
  ElementGenerator(float uniform, std::size_t element, std::uint64_t seed)
      : state_((std::uint64_t{std::bit_cast<std::uint32_t>(uniform)} << 32) ^
               (seed + element * 0x9E3779B97F4A7C15)) {}

  // A uniform number in (0, 1).
  double uniform() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

// A draw from the gamma distribution with scale 1 (Marsaglia and Tsang, "A simple method for generating gamma
// variables", 2000).
double gamma_draw(double shape, ElementGenerator& g) {
  if (shape < 1) return gamma_draw(shape + 1, g) * std::pow(g.uniform(), 1 / shape);
  const double d = shape - 1. / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = g.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(g.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

// A draw from the Poisson distribution: by multiplication of uniform numbers for small means, otherwise by
// transformed rejection (Hörmann, "The transformed rejection method for generating Poisson random variables",
// 1993, algorithm PTRS).
double poisson_draw(double mean, ElementGenerator& g) {
  if (mean < 10) {
    const double limit = std::exp(-mean);
    double product = g.uniform(), count = 0;
    for (; product > limit; ++count) product *= g.uniform();
    return count;
  }
  const double log_mean = std::log(mean), b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = g.uniform() - 0.5, v = g.uniform(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double accepted = k * log_mean - mean - std::lgamma(k + 1);
    if (std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b) <= accepted) return k;
  }
}

}  // namespace

Tensor count_draws(std::span<const double> mean, std::span<const double> inverse_dispersion,
                   std::span<const double> empty, Shape shape, const Noise& noise, Device device) {
  std::vector<float> x = random_uniform(shape, noise).to_vector();
  for (std::size_t i = 0; i < x.size(); ++i) {
    ElementGenerator g(x[i], i, noise.seed);
    x[i] = 0;
    if (!empty.empty() && g.uniform() < empty[i]) continue;
    const double k = inverse_dispersion[i];
    const double rate = std::isinf(k) ? mean[i] : mean[i] / k * gamma_draw(k, g);
    x[i] = static_cast<float>(poisson_draw(rate, g));
  }
  return Tensor::from(x, shape, device);
}

}  // namespace gpuvae
