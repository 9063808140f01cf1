// Tests scale parameters far from 0, at which standard deviations overflow or underflow. A value that the
// dtype can represent must be right; a larger one must be infinite, never NaN. The gradient of a finite value
// must be right. The expected values come from formulas in long double, whose exponent range is larger.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "gpuvae/distributions.h"

namespace gpuvae {
namespace {

using Real = long double;

struct Format {
  Device device;
  DType dtype;
  double tolerance;
};
std::vector<Format> formats() {
  std::vector<Format> all{{Device::cpu(), DType::f64, 1e-12}, {Device::cpu(), DType::f32, 4e-5}};
  if (Device::cuda_count() > 0) all.push_back({Device::cuda(), DType::f32, 4e-5});
  return all;
}

double largest_of(DType t) {
  return t == DType::f64 ? std::numeric_limits<double>::max() : double{std::numeric_limits<float>::max()};
}
double smallest(DType t) {
  return t == DType::f64 ? std::numeric_limits<double>::min() : double{std::numeric_limits<float>::min()};
}
bool fits(Real x, DType t) { return std::fabs(x) <= Real(largest_of(t)); }

Variable variable(const std::vector<double>& values, Shape shape, const Format& p,
                  bool differentiable = true) {
  return Variable(Tensor::from(values, shape).to(p.dtype).to(p.device), differentiable);
}
// Rounds a number to the data type.
Real rounded(double x, const Format& p) { return p.dtype == DType::f64 ? x : double{static_cast<float>(x)}; }

// `terms` is the magnitude of the terms of which `expected` is a difference. Their rounding errors remain
// when the terms cancel.
void expect_within(double got, Real expected, const Format& p, const std::string& what, Real terms = 0) {
  if (!fits(expected, p.dtype)) {
    EXPECT_TRUE(std::isinf(got) && (got > 0) == (expected > 0))
        << what << ": " << got << ", expected infinity, because the type cannot hold "
        << static_cast<double>(expected);
    return;
  }
  const Real allowed = p.tolerance * (std::fabs(expected) + terms / 100) + smallest(p.dtype);
  EXPECT_TRUE(std::fabs(got - expected) <= allowed)
      << what << ": " << got << ", expected " << static_cast<double>(expected);
}

struct Sigma {
  Real sigma, log_sigma, slope, log_slope;
};
Sigma sigma_of(PosteriorScale scale, Real s) {
  if (scale == PosteriorScale::softplus) {
    const Real sigma = std::fmax(s, Real(0)) + std::log1p(std::exp(-std::fabs(s))) + 1e-6L;
    const Real slope = 1 / (1 + std::exp(-s));
    return {sigma, std::log(sigma), slope, slope / sigma};
  }
  const Real factor = scale == PosteriorScale::log_sigma ? 1 : 0.5L, sigma = std::exp(factor * s);
  return {sigma, factor * s, factor * sigma, factor};
}

// Parameters beyond the range of either type, at its limits, and in the middle.
std::vector<double> scales(PosteriorScale scale) {
  if (scale == PosteriorScale::softplus) return {-1000, -180, -85, -20, 0, 20, 100, 180, 1000, 1e18};
  return {-2000, -1000, -360, -250, -180, -100, -40, 0, 40, 80, 100, 180, 250, 360, 1000, 2000};
}
const PosteriorScale kScales[] = {PosteriorScale::log_variance, PosteriorScale::log_sigma,
                                  PosteriorScale::softplus};

std::string text(const char* what, const Format& p, PosteriorScale scale, double s) {
  return std::string(what) + " " + std::string(name(p.dtype)) + " on " + p.device.text() + ", " +
         std::string(name(scale)) + " " + std::to_string(s);
}

void for_all(const std::function<void(const Format&, PosteriorScale, double)>& body) {
  for (const Format& p : formats())
    for (const PosteriorScale scale : kScales)
      for (const double s : scales(scale)) body(p, scale, s);
}

TEST(ExtremesDevice, DrawsOfAnyScale) {
  const double mean = 0.5;
  for_all([&](const Format& p, PosteriorScale scale, double s) {
    const Sigma sigma = sigma_of(scale, rounded(s, p));
    for (const double epsilon : {1.0, -0.3, 0.0})
      for (const double noise_std : {1.0, 0.0}) {
        const Real e = epsilon * noise_std, z = mean + (e == 0 ? 0 : e * sigma.sigma),
                   slope = e == 0 ? 0 : e * sigma.slope;
        for (const bool fused : {true, false})
          for (const bool with_kl : {false, true}) {
            const std::string what = text(fused ? "fused" : "unfused", p, scale, s);
            const Variable params = variable({mean, s}, {1, 2}, p);
            PosteriorOptions o{.scale = scale, .noise_std = noise_std};
            o.epsilon = variable({epsilon}, {1, 1}, p, false).value();
            const auto with = fused ? sample_posterior_with_kl : unfused::sample_posterior_with_kl;
            const auto alone = fused ? sample_posterior : unfused::sample_posterior;
            const Variable draw = with_kl ? with(params, o, 1).z : alone(params, o);
            expect_within(draw.value().item(), z, p, what);
            if (!fits(z, p.dtype)) continue;
            sum(draw).backward();
            const std::vector<double> gradient = params.grad().to_doubles();
            expect_within(gradient[0], 1, p, what + ", slope of the mean");
            expect_within(gradient[1], slope, p, what + ", slope of the scale");
          }
      }
  });
}

TEST(ExtremesDevice, KlOfAnyScale) {
  const double mean = -0.75;
  for_all([&](const Format& p, PosteriorScale scale, double s) {
    const Sigma sigma = sigma_of(scale, rounded(s, p));
    const Real kl = (sigma.sigma * sigma.sigma + mean * mean - 1) / 2 - sigma.log_sigma;
    const auto q = diagonal_gaussian({scale});
    const std::function<Variable(const Variable&)> forms[] = {
        [=](const Variable& x) { return kl_divergence(x, scale, 0.5); },
        [=](const Variable& x) { return unfused::kl_divergence(x, scale, 0.5); },
        [=](const Variable& x) { return sample_posterior_with_kl(x, {.scale = scale}, 0.5).kl; },
        [=](const Variable& x) { return 0.5 * sum(q->kl_to_standard_normal(x)); }};
    for (std::size_t i = 0; i < std::size(forms); ++i) {
      const std::string what = text("form", p, scale, s) + ", number " + std::to_string(i);
      const Variable params = variable({mean, s}, {1, 2}, p);
      const Variable value = forms[i](params);
      // kl / 2, which the forms compute, may be representable even if kl is not.
      if (!fits(kl, p.dtype)) {
        EXPECT_TRUE(std::isinf(value.value().item()) || fits(kl / 2, p.dtype)) << what;
        continue;
      }
      expect_within(value.value().item(), kl / 2, p, what);
      value.backward();
      const std::vector<double> gradient = params.grad().to_doubles();
      expect_within(gradient[0], Real(mean) / 2, p, what + ", slope of the mean");
      expect_within(gradient[1], (sigma.sigma * sigma.slope - sigma.log_slope) / 2, p,
                    what + ", slope of the scale", sigma.log_slope / 2);
    }
  });
}

// sample_posterior_with_kl() with an infinite KL divergence whose weight is 0, either in the operation or in
// the backward pass.
TEST(ExtremesDevice, AnInfiniteKlWithZeroWeightIsIgnored) {
  for (const Format& p : formats())
    for (const double weight : {0.0, 1.0}) {
      const double s = p.dtype == DType::f64 ? 1000 : 120;
      const Variable params = variable({0.5, s}, {1, 2}, p);
      PosteriorOptions o;
      o.epsilon = variable({0.5}, {1, 1}, p, false).value();
      const PosteriorSample both = sample_posterior_with_kl(params, o, weight);
      const autograd::Root roots[] = {{sum(both.z), 1}, {both.kl, weight == 0 ? 1.0 : 0.0}};
      if (weight == 0) {
        EXPECT_EQ(both.kl.value().item(), 0);
      }
      autograd::backward(roots);
      expect_within(params.grad().to_doubles()[1], std::exp(Real(s) / 2) / 4, p, "draw");
    }
}

TEST(ExtremesDevice, DensitiesOfAnyScale) {
  for_all([&](const Format& p, PosteriorScale scale, double s) {
    const Sigma sigma = sigma_of(scale, rounded(s, p));
    const auto q = diagonal_gaussian({scale});
    for (const double z : {0.25, 1.25}) {
      const std::string what = text("density", p, scale, s) + " at " + std::to_string(z);
      const Variable params = variable({0.25, s}, {1, 2}, p), at = variable({z}, {1, 1}, p);
      const Real u = (z - 0.25L) / sigma.sigma;
      const Real expected = -u * u / 2 - sigma.log_sigma - std::log(2 * M_PIl) / 2;
      const Variable density = q->log_density(params, at);
      expect_within(density.value().item(), expected, p, what);
      if (!fits(u * u, p.dtype)) continue;
      sum(density).backward();
      const std::vector<double> gradient = params.grad().to_doubles();
      expect_within(at.grad().item(), -u / sigma.sigma, p, what + ", slope of z");
      expect_within(gradient[0], u / sigma.sigma, p, what + ", slope of the mean");
      expect_within(gradient[1], (u * u - 1) * sigma.log_slope, p, what + ", slope of the scale");
    }
  });
}

// The log density and its gradients for a mixture of two components, one of any scale and one with sigma = 1.
struct MixtureReference {
  Real value = 0, z = 0, params[4] = {}, weights[2] = {};
  bool finite = true;
};
MixtureReference mixture_reference(Real z, const std::vector<double>& params, const std::vector<double>& logs,
                                   PosteriorScale scale, const Format& p) {
  Real terms[2], u[2];
  Sigma sigmas[2];
  MixtureReference r;
  for (int k = 0; k < 2; ++k) {
    sigmas[k] = sigma_of(scale, rounded(params[2 * k + 1], p));
    u[k] = (z - rounded(params[2 * k], p)) / sigmas[k].sigma;
    terms[k] = rounded(logs[k], p) - u[k] * u[k] / 2 - sigmas[k].log_sigma - std::log(2 * M_PIl) / 2;
  }
  const Real most = std::fmax(terms[0], terms[1]);
  r.value = most + std::log(std::exp(terms[0] - most) + std::exp(terms[1] - most));
  for (int k = 0; k < 2; ++k) {
    const Real q = std::exp(terms[k] - r.value);
    if (q == 0) continue;
    r.weights[k] = q;
    r.params[2 * k] = q * u[k] / sigmas[k].sigma;
    r.params[2 * k + 1] = q * (u[k] * u[k] - 1) * sigmas[k].log_slope;
    r.z -= r.params[2 * k];
  }
  return r;
}

TEST(ExtremesDevice, MixturesWithAComponentOfAnyScale) {
  const std::vector<double> logs{std::log(0.75), std::log(0.25)};
  for_all([&](const Format& p, PosteriorScale scale, double s) {
    const double unit = scale == PosteriorScale::softplus ? 0.5413 : 0;  // gives sigma = 1
    const std::vector<double> params{0.25, s, -0.5, unit};
    for (const double z : {0.25, 1.25, -3.0})
      for (const bool fused : {true, false}) {
        const std::string what =
            text(fused ? "fused mixture" : "unfused mixture", p, scale, s) + " at " + std::to_string(z);
        const MixtureReference expected = mixture_reference(z, params, logs, scale, p);
        const Variable at = variable({z}, {1, 1}, p), components = variable(params, {2, 2}, p),
                       weights = variable(logs, {2}, p);
        const Variable density = fused ? mixture_log_density(at, components, scale, weights)
                                       : unfused::mixture_log_density(at, components, scale, weights);
        expect_within(density.value().item(), expected.value, p, what);
        sum(density).backward();
        // These are sums of terms with different signs.
        Format loose = p;
        loose.tolerance *= 10;
        expect_within(at.grad().item(), expected.z, loose, what + ", slope of z");
        for (std::size_t i = 0; i < 4; ++i)
          expect_within(components.grad().to_doubles()[i], expected.params[i], loose,
                        what + ", slope of parameter " + std::to_string(i));
        for (std::size_t k = 0; k < 2; ++k)
          expect_within(weights.grad().to_doubles()[k], expected.weights[k], loose,
                        what + ", slope of weight " + std::to_string(k));
      }
  });
}

// The log variances include the clip bounds and numbers beyond them. The target is at the mean, near it, or
// elsewhere.
TEST(ExtremesDevice, GaussianLikelihoodsOfAnyScale) {
  const GaussianOptions options{.sigmoid_mean = false, .low = -250, .high = 250};
  for (const Format& p : formats())
    for (const double v : {-300.0, -250.0, -180.0, -100.0, -40.0, 0.0, 40.0, 100.0, 180.0, 300.0})
      for (const double target : {0.0, 1e-12, 0.75}) {
        const Real clipped = std::fmin(std::fmax(v, -250), 250), d = -rounded(target, p),
                   precision = std::exp(-clipped), squared = d * d * precision;
        const Real expected = (std::log(2 * M_PIl) + clipped + squared) / 2;
        for (int form = 0; form < 4; ++form) {
          const std::string what = text("Gaussian", p, PosteriorScale::log_variance, v) + ", target " +
                                   std::to_string(target) + ", form " + std::to_string(form);
          const Variable params = variable({0, v}, {1, 2}, p), x = variable({target}, {1, 1}, p, false);
          const Variable nll = form == 0   ? gaussian_nll(params, x, options)
                               : form == 1 ? unfused::gaussian_nll(params, x, options)
                               : form == 2 ? -sum(gaussian_log_density(params, x, options))
                                           : -sum(unfused::gaussian_log_density(params, x, options));
          expect_within(nll.value().item(), expected, p, what);
          const NoGradGuard no_grad;  // uses a different kernel
          expect_within(gaussian_log_density(params, x, options).value().item(), -expected, p, what);
          if (!fits(squared, p.dtype) || !fits(d * precision, p.dtype)) continue;
          nll.backward();
          const std::vector<double> gradient = params.grad().to_doubles();
          expect_within(gradient[0], d * precision, p, what + ", slope of the mean");
          expect_within(gradient[1], std::fabs(v) > 250 ? 0 : (1 - squared) / 2, p,
                        what + ", slope of the scale");
        }
      }
}

TEST(ExtremesDevice, NanScalesPropagate) {
  for (const Format& p : formats())
    for (const PosteriorScale scale : kScales) {
      const Variable params = variable({0.5, NAN}, {1, 2}, p);
      PosteriorOptions o{.scale = scale};
      o.epsilon = variable({0}, {1, 1}, p, false).value();
      EXPECT_TRUE(std::isnan(sample_posterior(params, o).value().item())) << p.device.text();
      EXPECT_TRUE(std::isnan(kl_divergence(params, scale).value().item())) << p.device.text();
    }
}

}  // namespace
}  // namespace gpuvae
