#include "src/distributions/discrete_draws.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "gpuvae/device/random.h"
#include "kernels/check.h"

namespace gpuvae {
namespace {

// A generator for one element (splitmix64), whose state starts from 64 bits of the block of random numbers
// that belongs to the element's sample and column.
class ElementGenerator {
 public:
  explicit ElementGenerator(const Philox4x32& bits) : state_(std::uint64_t{bits.v[0]} << 32 | bits.v[1]) {}

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

// The random numbers of the rows of a batch, which depend on their samples (gpuvae/random.h).
class RowNoise {
 public:
  RowNoise(const Noise& noise, std::int64_t rows) : noise_(noise) {
    const Clock& clock = noise.clock;
    std::uint64_t step = clock.step;
    if (clock.device_step) {
      const Tensor host = clock.device_step.to(Device::cpu());
      std::uint64_t counted = 0;
      std::memcpy(&counted, host.data(), sizeof counted);
      step += counted;
    }
    time_ = noise.frozen ? 0 : step / std::max<std::uint64_t>(1, clock.steps_per_epoch);
    if (!noise.samples) return;
    check(noise.samples.dtype() == DType::i32 && noise.samples.elements() == rows, "sample",
          "expected samples of i32[{}], got {}", rows, noise.samples);
    const Tensor host = noise.samples.to(Device::cpu());
    const auto* first = host.data_as<std::int32_t>();
    numbers_.assign(first, first + rows);
  }
  Philox4x32 bits(std::size_t row, std::size_t column) const {
    const std::uint32_t sample = numbers_.empty() ? noise_.first_sample + static_cast<std::uint32_t>(row)
                                                  : static_cast<std::uint32_t>(numbers_[row]);
    return random_block(noise_.seed, noise_.purpose, time_, sample, static_cast<std::uint32_t>(column));
  }

 private:
  const Noise& noise_;
  std::uint64_t time_ = 0;
  std::vector<std::int32_t> numbers_;
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
  const auto columns = static_cast<std::size_t>(shape.columns());
  const RowNoise of_rows(noise, shape.rows());
  std::vector<float> x(mean.size(), 0.0f);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double m = mean[i], k = inverse_dispersion[i], none = empty.empty() ? 0 : empty[i];
    if (!std::isfinite(m) || std::isnan(k) || std::isnan(none)) {
      x[i] = NAN;
      continue;
    }
    ElementGenerator g(of_rows.bits(i / columns, i % columns));
    if (g.uniform() < none) continue;
    x[i] = static_cast<float>(poisson_draw(std::isinf(k) ? m : m / k * gamma_draw(k, g), g));
  }
  return Tensor::from(x, shape, device);
}

}  // namespace gpuvae
