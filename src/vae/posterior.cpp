#include <cmath>

#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

class DiagonalGaussian final : public Posterior {
 public:
  explicit DiagonalGaussian(const DiagonalGaussianOptions& options) : options_(options) {}
  std::string name() const override {
    return "diagonal Gaussian (" + std::string(gpuvae::name(options_.scale)) + ")";
  }

  const DiagonalGaussianOptions* as_diagonal_gaussian() const override { return &options_; }
  bool has_log_variances() const override {
    return options_.scale == PosteriorScale::log_variance && options_.noise_std == 1;
  }

  Variable mean(const Variable& stats) const override { return columns(stats, 0, stats.shape()[1] / 2); }

  Variable rsample(const Variable& stats, const Draw& draw) const override {
    return sample_posterior(stats, options_for(draw));
  }

  Variable log_density(const Variable& stats, const Variable& z) const override {
    check(options_.noise_std > 0, "posterior", "a posterior of noise_std 0 has no density");
    const Variable s = options_.noise_std * sigma(stats);
    constexpr double kHalfLogTwoPi = 0.918938533204672742;
    const Variable terms = 0.5 * square((z - mean(stats)) / s) + log(s);
    return sum(affine(terms, -1, -kHalfLogTwoPi), Axis::columns);
  }

  Variable kl_to_standard_normal(const Variable& stats) const override {
    const Variable s = sigma(stats);
    return affine(square(s) + square(mean(stats)), 0.5, -0.5) - log(s);
  }

  Variable aggregate_log_density(const Variable& stats, const Variable& z) const override {
    return mixture_log_density(z, with_log_deviation(stats), PosteriorScale::log_sigma, {});
  }

  PosteriorSample rsample_with_kl(const Variable& stats, const Draw& draw, const Prior& prior,
                                  double weight) const override {
    if (!prior.is_standard_normal()) return Posterior::rsample_with_kl(stats, draw, prior, weight);
    return sample_posterior_with_kl(stats, options_for(draw), weight);
  }

 private:
  PosteriorOptions options_for(const Draw& draw) const {
    return {options_.scale, options_.noise_std, draw.noise, draw.epsilon, draw.samples};
  }

  // [mean, log of the deviation that is drawn with]; by way of the host, for evaluation.
  Tensor with_log_deviation(const Variable& stats) const {
    std::vector<float> values = stats.value().to_vector();
    const std::vector<float> deviations = (options_.noise_std * sigma(stats)).value().to_vector();
    const std::size_t latent = static_cast<std::size_t>(stats.shape()[1]) / 2;
    for (std::size_t i = 0; i < deviations.size(); ++i)
      values[i / latent * 2 * latent + latent + i % latent] = std::log(deviations[i]);
    return Tensor::from(values, stats.shape(), stats.device());
  }

  Variable sigma(const Variable& stats) const {
    const std::int64_t latent = stats.shape()[1] / 2;
    return composed::sigma_of(columns(stats, latent, latent), options_.scale);
  }

  DiagonalGaussianOptions options_;
};

}  // namespace

PosteriorSample Posterior::rsample_with_kl(const Variable& stats, const Draw& draw, const Prior& prior,
                                           double weight) const {
  const Variable z = rsample(stats, draw);
  return {z, weight * sum(log_density(stats, z) - prior.log_density(z))};
}

std::shared_ptr<const Posterior> diagonal_gaussian(const DiagonalGaussianOptions& options) {
  return std::make_shared<DiagonalGaussian>(options);
}

}  // namespace gpuvae
