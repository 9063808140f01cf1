#include <cmath>

#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "src/ops/sigma.h"
#include "src/vae/built_in.h"

namespace gpuvae {
namespace {

class DiagonalGaussian final : public Posterior {
 public:
  explicit DiagonalGaussian(const DiagonalGaussianOptions& options) : options_(options) {}
  std::string name() const override {
    return "diagonal Gaussian (" + std::string(gpuvae::name(options_.scale)) + ")";
  }

  const DiagonalGaussianOptions& options() const { return options_; }
  bool has_log_variances() const override {
    return options_.scale == PosteriorScale::log_variance && options_.noise_std == 1;
  }

  Variable mean(const Variable& posterior_params) const override {
    return columns(posterior_params, 0, posterior_params.shape()[1] / 2);
  }

  Variable rsample(const Variable& posterior_params, const Draw& draw) const override {
    return sample_posterior(posterior_params, options_for(draw));
  }

  Variable log_density(const Variable& posterior_params, const Variable& z) const override {
    check(options_.noise_std > 0, "posterior", "a posterior of noise_std 0 has no density");
    const Variable s = options_.noise_std * sigma(posterior_params);
    constexpr double kHalfLogTwoPi = 0.918938533204672742;
    const Variable terms = 0.5 * square((z - mean(posterior_params)) / s) + log(s);
    return sum(affine(terms, -1, -kHalfLogTwoPi), Axis::columns);
  }

  Variable kl_to_standard_normal(const Variable& posterior_params) const override {
    const Variable s = sigma(posterior_params);
    return affine(square(s) + square(mean(posterior_params)), 0.5, -0.5) - log(s);
  }

  Variable aggregate_log_density(const Variable& posterior_params, const Variable& z) const override {
    return mixture_log_density(z, with_log_stddev(posterior_params), PosteriorScale::log_sigma, {});
  }

  PosteriorSample rsample_with_kl(const Variable& posterior_params, const Draw& draw, const Prior& prior,
                                  double weight) const override {
    if (!prior.is_standard_normal()) return Posterior::rsample_with_kl(posterior_params, draw, prior, weight);
    return sample_posterior_with_kl(posterior_params, options_for(draw), weight);
  }

 private:
  PosteriorOptions options_for(const Draw& draw) const {
    return {options_.scale, options_.noise_std, draw.noise, draw.epsilon, draw.samples};
  }

  // [mean, log standard deviation of the draw]; computed on the host, for evaluation.
  Tensor with_log_stddev(const Variable& posterior_params) const {
    std::vector<float> values = posterior_params.value().to_vector();
    const std::vector<float> stddevs = (options_.noise_std * sigma(posterior_params)).value().to_vector();
    const std::size_t latent = static_cast<std::size_t>(posterior_params.shape()[1]) / 2;
    for (std::size_t i = 0; i < stddevs.size(); ++i)
      values[i / latent * 2 * latent + latent + i % latent] = std::log(stddevs[i]);
    return Tensor::from(values, posterior_params.shape(), posterior_params.device());
  }

  Variable sigma(const Variable& posterior_params) const {
    const std::int64_t latent = posterior_params.shape()[1] / 2;
    return unfused::sigma_of(columns(posterior_params, latent, latent), options_.scale);
  }

  DiagonalGaussianOptions options_;
};

}  // namespace

PosteriorSample Posterior::rsample_with_kl(const Variable& posterior_params, const Draw& draw,
                                           const Prior& prior, double weight) const {
  const Variable z = rsample(posterior_params, draw);
  return {z, weight * sum(log_density(posterior_params, z) - prior.log_density(z))};
}

std::shared_ptr<const Posterior> diagonal_gaussian(const DiagonalGaussianOptions& options) {
  return std::make_shared<DiagonalGaussian>(options);
}

const DiagonalGaussianOptions* diagonal_gaussian_options(const Posterior& posterior) {
  const auto* gaussian = dynamic_cast<const DiagonalGaussian*>(&posterior);
  return gaussian ? &gaussian->options() : nullptr;
}

}  // namespace gpuvae
