#include <algorithm>
#include <cmath>
#include <optional>

#include "gpuvae/device/continuous_bernoulli.h"
#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "src/distributions/built_in.h"
#include "src/distributions/constants.h"
#include "src/distributions/output_means.h"

namespace gpuvae {
namespace {

// Returns 1 where p exceeds a uniform number u, else 0. u is at least 2^-24, so a positive difference p - u
// is far above 1e-30, and clamping 1e30 times this difference yields 1.
Tensor bernoulli_draw(const Variable& p, const Noise& noise) {
  const NoGradGuard no_grad;
  const Variable u = random_uniform(p.shape(), noise, 0, 1, p.dtype(), p.device());
  return clamp(1e30 * (p - u), 0, 1).value();
}

Variable normal_like(const Variable& x, const Noise& noise) {
  return random_normal(x.shape(), noise, 0, 1, x.dtype(), x.device());
}

// Returns the logit of a continuous Bernoulli distribution with this mean, by bisection.
double continuous_bernoulli_logit(double mean) {
  double low = -1100, high = 1100;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (math::continuous_bernoulli(middle).mean < mean ? low : high) = middle;
  }
  return (low + high) / 2;
}

class Bernoulli final : public Likelihood {
 public:
  std::string name() const override { return "Bernoulli"; }
  bool supports_missing_values() const override { return true; }
  Variable log_density(const Variable& logits, const Variable& x) const override {
    return bernoulli_log_density(logits, x);
  }
  bool repeats_targets() const override { return true; }
  Variable negative_log_likelihood(const Variable& logits, const Variable& x, double weight) const override {
    return bce_with_logits(logits, x, weight);
  }
  Variable mean(const Variable& logits) const override { return activate(logits, Activation::sigmoid); }
  Tensor sample(const Variable& logits, const Noise& noise) const override {
    return bernoulli_draw(mean(logits), noise);
  }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return location_outputs(means, true, 1);
  }
};

class ContinuousBernoulli final : public Likelihood {
 public:
  std::string name() const override { return "continuous Bernoulli"; }
  bool supports_missing_values() const override { return true; }
  bool is_density() const override { return true; }
  Variable log_density(const Variable& logits, const Variable& x) const override {
    return continuous_bernoulli_log_density(logits, x);
  }
  bool repeats_targets() const override { return true; }
  Variable negative_log_likelihood(const Variable& logits, const Variable& x, double weight) const override {
    return continuous_bernoulli_nll(logits, x, weight);
  }
  Variable mean(const Variable& logits) const override { return continuous_bernoulli_mean(logits); }

  // Inverse transform sampling: x = log(1 + u (exp(l) - 1)) / l for uniform u. It is computed on the host,
  // because sampling is not performance-critical.
  Tensor sample(const Variable& logits, const Noise& noise) const override {
    const std::vector<float> l = logits.value().to_vector();
    std::vector<float> x = random_uniform(logits.shape(), noise).to_vector();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = x[i], a = l[i];
      if (std::abs(a) < 1e-4) continue;  // the distribution is almost uniform, so x = u
      x[i] = static_cast<float>(a > 0 ? 1 + std::log(u + (1 - u) * std::exp(-a)) / a
                                      : std::log1p(u * std::expm1(a)) / a);
    }
    return Tensor::from(x, logits.shape(), logits.device());
  }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    std::vector<double> logits;
    for (const double m : means) logits.push_back(continuous_bernoulli_logit(clipped_mean(m)));
    return logits;
  }
};

// A Gaussian with a mean and a clipped log variance per feature.
class Gaussian final : public Likelihood {
 public:
  explicit Gaussian(const GaussianOptions& options) : options_(options) {}
  std::string name() const override { return "Gaussian"; }
  bool supports_missing_values() const override { return true; }
  const GaussianOptions& options() const { return options_; }
  int params_per_feature() const override { return 2; }
  bool is_density() const override { return true; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    return gaussian_log_density(params, x, options_);
  }
  bool repeats_targets() const override { return true; }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    return gaussian_nll(params, x, options_, weight);
  }
  Variable mean(const Variable& params) const override {
    const Variable m = columns(params, 0, params.shape()[1] / 2);
    return options_.sigmoid_mean ? activate(m, Activation::sigmoid) : m;
  }
  Tensor sample(const Variable& params, const Noise& noise) const override {
    const NoGradGuard no_grad;
    const std::int64_t pixels = params.shape()[1] / 2;
    const Variable m = mean(params), v = clamp(columns(params, pixels, pixels), options_.low, options_.high);
    return (m + exp(0.5 * v) * normal_like(m, noise)).value();
  }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return location_outputs(means, options_.sigmoid_mean, 2);
  }

 private:
  GaussianOptions options_;
};

// A Laplace distribution with a location and a clipped log scale per feature.
class Laplace final : public Likelihood {
 public:
  explicit Laplace(const LaplaceOptions& options) : options_(options) {}
  std::string name() const override { return "Laplace"; }
  bool supports_missing_values() const override { return true; }
  const LaplaceOptions& options() const { return options_; }
  int params_per_feature() const override { return 2; }
  bool is_density() const override { return true; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    return laplace_log_density(params, x, options_);
  }
  bool repeats_targets() const override { return true; }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    return laplace_nll(params, x, options_, weight);
  }
  Variable mean(const Variable& params) const override {
    const Variable location = columns(params, 0, params.shape()[1] / 2);
    return options_.sigmoid_location ? activate(location, Activation::sigmoid) : location;
  }
  // Inverse transform sampling from v, which is uniform in (-1, 1). random_uniform never returns -1, 0 or 1
  // here, so the division and the logarithm are safe.
  Tensor sample(const Variable& params, const Noise& noise) const override {
    const NoGradGuard no_grad;
    const std::int64_t pixels = params.shape()[1] / 2;
    const Variable m = mean(params), s = clamp(columns(params, pixels, pixels), options_.low, options_.high);
    const Variable v = random_uniform(m.shape(), noise, -1, 1, m.dtype(), m.device());
    return (m - exp(s) * (v / abs(v)) * log(1 - abs(v))).value();
  }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return location_outputs(means, options_.sigmoid_location, 2);
  }

 private:
  LaplaceOptions options_;
};

// A Gaussian with one log variance for all features, which is learned and clipped, or fixed.
class SharedGaussian final : public Likelihood {
 public:
  SharedGaussian(const GaussianOptions& options, std::optional<double> fixed_log_variance)
      : options_(options), fixed_(fixed_log_variance) {}
  std::string name() const override {
    return fixed_ ? "Gaussian of fixed sigma" : "Gaussian of shared sigma";
  }
  const GaussianOptions& options() const { return options_; }
  std::shared_ptr<Likelihood> clone() const override {
    return std::make_shared<SharedGaussian>(options_, fixed_);
  }
  bool is_density() const override { return true; }

  void initialize(const ModelContext& context) override {
    log_variance_ = Variable(Tensor::full({1}, fixed_.value_or(0), DType::f32, context.device), !fixed_);
  }
  void collect(std::vector<Parameter>& into) const override {
    if (!fixed_) into.push_back({"likelihood.log_variance", log_variance_, true});
  }

  Variable log_density(const Variable& params, const Variable& x) const override {
    const double pixels = static_cast<double>(params.shape()[1]);
    const Variable half = 0.5 * sum(squared_errors(params, x), Axis::columns);
    const Variable v = clipped();
    return -(half * exp(-v)) - pixels * kHalfLogTwoPi - 0.5 * pixels * v;
  }
  Variable negative_log_likelihood(const Variable& params, const Variable& x, double weight) const override {
    const double elements = static_cast<double>(params.shape().elements());
    const Variable half = 0.5 * weight * sum(squared_errors(params, x));
    const Variable v = clipped();
    return half * exp(-v) + affine(v, 0.5 * weight * elements, weight * elements * kHalfLogTwoPi);
  }
  Variable mean(const Variable& params) const override {
    return options_.sigmoid_mean ? activate(params, Activation::sigmoid) : params;
  }
  Tensor sample(const Variable& params, const Noise& noise) const override {
    const NoGradGuard no_grad;
    const Variable m = mean(params);
    return (m + normal_like(m, noise) * exp(0.5 * clipped())).value();
  }
  std::vector<double> outputs_of_mean(std::span<const double> means) const override {
    return location_outputs(means, options_.sigmoid_mean, 1);
  }

 private:
  Variable squared_errors(const Variable& params, const Variable& x) const {
    return square(mean(params) - x);
  }
  Variable clipped() const {
    return fixed_ ? log_variance_ : clamp(log_variance_, options_.low, options_.high);
  }

  GaussianOptions options_;
  std::optional<double> fixed_;
  Variable log_variance_;
};

}  // namespace

Variable Likelihood::negative_log_likelihood(const Variable& params, const Variable& x, double weight) const {
  return -weight * sum(log_density(params, x));
}

Variable Likelihood::mean_given(const Variable& params, const Variable&) const { return mean(params); }

Tensor Likelihood::sample(const Variable&, const Noise&) const {
  fail("likelihood", "the likelihood {} does not implement sample()", name());
}

std::vector<double> Likelihood::outputs_of_mean(std::span<const double>) const { return {}; }

namespace {

void check_bounds(double low, double high) {
  check(low <= high, "likelihood", "expected low <= high, got {} and {}", low, high);
}

}  // namespace

std::shared_ptr<Likelihood> bernoulli_likelihood() { return std::make_shared<Bernoulli>(); }
std::shared_ptr<Likelihood> continuous_bernoulli_likelihood() {
  return std::make_shared<ContinuousBernoulli>();
}
std::shared_ptr<Likelihood> gaussian_likelihood(const GaussianOptions& options) {
  check_bounds(options.low, options.high);
  return std::make_shared<Gaussian>(options);
}
std::shared_ptr<Likelihood> laplace_likelihood(const LaplaceOptions& options) {
  check_bounds(options.low, options.high);
  return std::make_shared<Laplace>(options);
}
std::shared_ptr<Likelihood> shared_gaussian_likelihood(const GaussianOptions& options) {
  check_bounds(options.low, options.high);
  return std::make_shared<SharedGaussian>(options, std::nullopt);
}
std::shared_ptr<Likelihood> fixed_gaussian_likelihood(double sigma, bool sigmoid_mean) {
  check(sigma > 0 && std::isfinite(sigma), "likelihood", "expected a sigma above 0, got {}", sigma);
  GaussianOptions options;
  options.sigmoid_mean = sigmoid_mean;
  return std::make_shared<SharedGaussian>(options, 2 * std::log(sigma));
}

bool is_bernoulli(const Likelihood& likelihood) {
  return dynamic_cast<const Bernoulli*>(&likelihood) != nullptr;
}
const GaussianOptions* gaussian_options(const Likelihood& likelihood) {
  const auto* gaussian = dynamic_cast<const Gaussian*>(&likelihood);
  return gaussian ? &gaussian->options() : nullptr;
}
std::optional<kernels::Unary> mean_function(const Likelihood& likelihood) {
  using kernels::Unary;
  const auto location = [](bool is_sigmoid) { return is_sigmoid ? Unary::sigmoid : Unary::identity; };
  if (is_bernoulli(likelihood)) return Unary::sigmoid;
  if (dynamic_cast<const ContinuousBernoulli*>(&likelihood)) return Unary::continuous_bernoulli_mean;
  if (const auto* options = gaussian_options(likelihood)) return location(options->sigmoid_mean);
  if (const auto* laplace = dynamic_cast<const Laplace*>(&likelihood))
    return location(laplace->options().sigmoid_location);
  if (const auto* shared = dynamic_cast<const SharedGaussian*>(&likelihood))
    return location(shared->options().sigmoid_mean);
  return discrete_mean_function(likelihood);
}

}  // namespace gpuvae
