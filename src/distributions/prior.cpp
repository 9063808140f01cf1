// The built-in priors: the standard normal, a mixture of Gaussians and the VampPrior.
#include <algorithm>
#include <cmath>

#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "src/distributions/constants.h"

namespace gpuvae {
namespace {

class StandardNormal final : public Prior {
 public:
  std::string name() const override { return "standard normal"; }
  bool is_standard_normal() const override { return true; }
  Variable log_density(const Variable& z) const override {
    return sum(affine(square(z), -0.5, -kHalfLogTwoPi), Axis::columns);
  }
  Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise, Device device) const override {
    return random_normal({rows, latent}, noise, 0, 1, DType::f32, device);
  }
};

// Base class of mixtures of diagonal Gaussians. A row of component_params() [components, 2 latent] describes
// one component: its means, then its log variances.
class Mixture : public Prior {
 public:
  explicit Mixture(int components) : components_(components) {
    check(components > 0, "prior", "expected 1 or more components, got {}", components);
  }

  Variable log_density(const Variable& z) const override {
    return mixture_log_density(z, component_params(), PosteriorScale::log_variance, log_weights());
  }

  // Draws on the host. This is slow, but training draws nothing from the prior.
  Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise, Device device) const override {
    const NoGradGuard no_grad;
    const std::vector<float> parameters = component_params().value().to_vector();
    std::vector<double> weights(static_cast<std::size_t>(components_), 1.0 / components_);
    if (const Variable w = log_weights()) {
      const std::vector<float> logs = w.value().to_vector();
      for (int k = 0; k < components_; ++k) weights[k] = std::exp(double(logs[k]));
    }
    // The normal CDF maps column 0 to a uniform number, which selects the component.
    const std::vector<float> draws = random_normal({rows, latent + 1}, noise).to_vector();
    std::vector<float> z(static_cast<std::size_t>(rows * latent));
    for (std::int64_t r = 0; r < rows; ++r) {
      double u = 0.5 * std::erfc(-draws[r * (latent + 1)] / std::sqrt(2.0));
      int k = 0;
      while (k + 1 < components_ && u >= weights[k]) u -= weights[k++];
      const float* mean = parameters.data() + 2 * latent * k;
      for (std::int64_t d = 0; d < latent; ++d)
        z[r * latent + d] = mean[d] + std::exp(0.5f * mean[latent + d]) * draws[r * (latent + 1) + 1 + d];
    }
    return Tensor::from(z, {rows, latent}, device);
  }

 protected:
  virtual Variable component_params() const = 0;
  virtual Variable log_weights() const { return {}; }  // normalised; undefined if all weights are equal
  int components_;
};

Noise initial_noise(const ModelContext& context, std::uint64_t which) {
  Noise noise{.seed = context.initializer.seed, .purpose = RandomPurpose::initialization};
  noise.clock.step = 0x7072696f72ull + which;  // "prior" in ASCII; layers use hashes of their names
  return noise;
}

class GaussianMixture final : public Mixture {
 public:
  using Mixture::Mixture;
  std::string name() const override { return "mixture of " + std::to_string(components_) + " Gaussians"; }
  std::shared_ptr<Prior> clone() const override { return std::make_shared<GaussianMixture>(components_); }

  void initialize(const ModelContext& c) override {
    // The means are drawn from N(0, 1), and the log variances are 0.
    std::vector<float> start(static_cast<std::size_t>(components_ * 2 * c.latent), 0.0f);
    const std::vector<float> means = random_normal({components_, c.latent}, initial_noise(c, 0)).to_vector();
    for (std::int64_t k = 0; k < components_; ++k)
      std::copy_n(means.begin() + k * c.latent, c.latent, start.begin() + 2 * k * c.latent);
    stats_ = Variable(Tensor::from(start, {components_, 2 * c.latent}, c.device), true);
    logits_ = Variable(Tensor::zeros({components_}, DType::f32, c.device), true);
  }
  void collect(std::vector<Parameter>& into) const override {
    into.push_back({"prior.stats", stats_, true});
    into.push_back({"prior.logits", logits_, true});
  }

 protected:
  Variable component_params() const override { return stats_; }
  Variable log_weights() const override { return logits_ - log_sum_exp(logits_, Axis::all); }

 private:
  Variable stats_, logits_;
};

class Vamp final : public Mixture {
 public:
  Vamp(int components, bool unit_pixels) : Mixture(components), unit_pixels_(unit_pixels) {}
  std::string name() const override {
    return "VampPrior with " + std::to_string(components_) + " pseudo-inputs";
  }
  std::shared_ptr<Prior> clone() const override { return std::make_shared<Vamp>(components_, unit_pixels_); }

  void initialize(const ModelContext& c) override {
    check(static_cast<bool>(c.encode), "prior", "expected a model context with encode, got one without");
    check(c.posterior_has_log_variances, "prior",
          "expected a Gaussian posterior with log variances and noise_std 1 for a VampPrior");
    // Image pseudo-inputs start dark: sigmoid(-3) is about 0.05. Other pseudo-inputs are drawn from N(0, 1).
    const double start = unit_pixels_ ? -3 : 0, spread = unit_pixels_ ? 0.5 : 1;
    inputs_ = Variable(
        random_normal({components_, c.features}, initial_noise(c, 1), start, spread, DType::f32, c.device),
        true);
    encode_ = c.encode;
  }
  void collect(std::vector<Parameter>& into) const override {
    into.push_back({"prior.pseudo_inputs", inputs_, true});
  }

 protected:
  Variable component_params() const override {
    check(static_cast<bool>(encode_), "prior",
          "expected an initialised VampPrior, got one that no model owns");
    return encode_(unit_pixels_ ? activate(inputs_, Activation::sigmoid) : inputs_);
  }

 private:
  bool unit_pixels_;
  Variable inputs_;
  std::function<Variable(const Variable&)> encode_;
};

}  // namespace

Variable Prior::training_log_density(const Variable& z, const Draw&) const { return log_density(z); }

std::shared_ptr<Prior> standard_normal_prior() { return std::make_shared<StandardNormal>(); }
std::shared_ptr<Prior> gaussian_mixture_prior(int components) {
  return std::make_shared<GaussianMixture>(components);
}
std::shared_ptr<Prior> vamp_prior(int components, bool unit_pixels) {
  return std::make_shared<Vamp>(components, unit_pixels);
}

}  // namespace gpuvae
