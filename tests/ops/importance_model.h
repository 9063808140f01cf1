// A model of two images, three Bernoulli pixels, two latent dimensions and four draws with given noise, for
// tests of objectives with several draws.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gpuvae/ops.h"
#include "tests/devices.h"

namespace gpuvae::test {

using Numbers = std::vector<double>;

inline constexpr std::int64_t kImages = 2, kDraws = 4;

// An estimator of the model's loss, and what it must give: the value and the gradients with respect to the
// means, the log variances, and the decoder's weights and biases.
struct Estimator {
  const char* name;
  EncoderGradient gradient;
  ImportanceOptions options;
  bool closed_kl;
  double value;
  Numbers d_mean, d_log_variance;
  const Numbers *d_weight, *d_bias;
};

inline ImportanceOptions bound(std::int64_t samples, std::int64_t groups, double elbo_share,
                               double kl_weight = 1) {
  ImportanceOptions o;
  o.samples = samples;
  o.groups = groups;
  o.elbo_share = elbo_share;
  o.weight = 1.0 / kImages;
  o.kl_weight = kl_weight;
  return o;
}

// The model, with the parameters of q and of the decoder as leaves.
struct DrawnModel {
  explicit DrawnModel(DType dtype, Device device)
      : posterior_params(leaf({.3, -.2, -.4, .2, -.5, .4, .1, -.6}, {kImages, 4}, dtype, device)),
        weight(leaf({.8, -1.2, .5, -.6, .9, 1.1}, {2, 3}, dtype, device)),
        bias(leaf({.1, -.3, .2}, {3}, dtype, device)),
        x(constant({1, 0, 1, 0, 1, 1}, {kImages, 3}, dtype, device)),
        // The draws of image 0, then those of image 1.
        epsilon(constant({.5, -1, -.7, .4, 1.6, .9, -1.1, -.3, 1.2, .3, -.2, -1.5, .1, .8, -.9, 1.4},
                         {kImages * kDraws, 2}, dtype, device)) {}

  static Tensor constant(const Numbers& values, Shape shape, DType dtype, Device device) {
    return Tensor::from(values, shape).to(dtype).to(device);
  }
  static Variable leaf(const Numbers& values, Shape shape, DType dtype, Device device) {
    return Variable(constant(values, shape, dtype, device), true);
  }

  PosteriorDraws draws(EncoderGradient gradient, bool fused) const {
    PosteriorDrawOptions o;
    o.posterior.epsilon = epsilon;
    o.draws = kDraws;
    o.gradient = gradient;
    return fused ? sample_posterior_draws(posterior_params, o)
                 : unfused::sample_posterior_draws(posterior_params, o);
  }
  ImportanceLoss loss(const PosteriorDraws& draws, const ImportanceOptions& o, bool closed_kl,
                      bool fused) const {
    const Variable log_likelihood = bernoulli_log_density(matmul(draws.z, weight) + bias, x);
    const Variable ratio = closed_kl ? Variable() : draws.log_ratio;
    return fused ? importance_weighted_loss(log_likelihood, ratio, o)
                 : unfused::importance_weighted_loss(log_likelihood, ratio, o);
  }
  Variable estimate(const Estimator& e, bool fused) const {
    const Variable sampled = loss(draws(e.gradient, fused), e.options, e.closed_kl, fused).loss;
    if (!e.closed_kl) return sampled;
    return sampled + kl_divergence(posterior_params, PosteriorScale::log_variance,
                                   e.options.kl_weight * e.options.weight);
  }

  Variable posterior_params, weight, bias;
  Tensor x, epsilon;
};

// Compares numbers up to `tolerance` times the largest expected one.
inline void expect_all_near(const Numbers& got, const Numbers& expected, double tolerance,
                            const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double largest = 0;
  for (double x : expected) largest = std::max(largest, std::fabs(x));
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(std::fabs(got[i] - expected[i]) <= tolerance * largest)
        << what << ", number " << i << ": " << got[i] << ", expected " << expected[i];
}

// The dtypes and devices of the check: f64 on the CPU, f32 everywhere.
struct ArithmeticPlace {
  DType dtype;
  Device device;
  double tolerance() const { return dtype == DType::f64 ? 1e-9 : 1e-5; }
};
inline std::vector<ArithmeticPlace> arithmetic_places() {
  std::vector<ArithmeticPlace> all = {{DType::f64, Device::cpu()}};
  for (const Device device : devices()) all.push_back({DType::f32, device});
  return all;
}

}  // namespace gpuvae::test
