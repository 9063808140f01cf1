#include <cmath>

#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "src/distributions/built_in.h"
#include "src/distributions/constants.h"
#include "src/distributions/posterior_draws.h"
#include "src/ops/draws.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

// Returns log p(z) for draws of a training step or of another purpose.
Variable log_prior(const Prior& prior, const Variable& z, const Draw& draw) {
  const bool training = draw.noise.purpose == RandomPurpose::posterior_noise;
  return training ? prior.training_log_density(z, draw) : prior.log_density(z);
}

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
    check(options_.noise_std > 0, "posterior", "expected noise_std above 0 for a log density, got 0");
    const Variable log_stddev = log_stddev_of(posterior_params);
    const Variable u = (z - mean(posterior_params)) * unfused::inverse_sigma(log_stddev);
    return sum(affine(0.5 * square(u) + log_stddev, -1, -kHalfLogTwoPi), Axis::columns);
  }

  Variable kl_to_standard_normal(const Variable& posterior_params) const override {
    return unfused::kl_standard_normal(mean(posterior_params), scale_of(posterior_params), options_.scale);
  }

  Variable aggregate_log_density(const Variable& posterior_params, const Variable& z) const override {
    const Variable components =
        concat({mean(posterior_params), log_stddev_of(posterior_params)}, Axis::columns);
    return mixture_log_density(z, components, PosteriorScale::log_sigma, {});
  }

  PosteriorSample rsample_with_kl(const Variable& posterior_params, const Draw& draw, const Prior& prior,
                                  double weight) const override {
    if (!prior.is_standard_normal()) return Posterior::rsample_with_kl(posterior_params, draw, prior, weight);
    return sample_posterior_with_kl(posterior_params, options_for(draw), weight);
  }

  PosteriorDraws rsample_draws(const Variable& posterior_params, const Draw& draw, const Prior& prior,
                               const DrawSettings& settings) const override {
    const bool standard_normal = prior.is_standard_normal();
    PosteriorDraws draws = sample_posterior_draws(
        posterior_params, {options_for(draw), settings.draws, standard_normal, settings.gradient});
    if (!standard_normal) draws.log_ratio = draws.log_ratio + log_prior(prior, draws.z, draw);
    return draws;
  }

 private:
  PosteriorOptions options_for(const Draw& draw) const {
    return {options_.scale, options_.noise_std, draw.noise, draw.epsilon};
  }

  Variable scale_of(const Variable& posterior_params) const {
    const std::int64_t latent = posterior_params.shape()[1] / 2;
    return columns(posterior_params, latent, latent);
  }
  // Returns log(noise_std sigma), the log standard deviation of the draw.
  Variable log_stddev_of(const Variable& posterior_params) const {
    return unfused::log_sigma_of(scale_of(posterior_params), options_.scale) + std::log(options_.noise_std);
  }

  DiagonalGaussianOptions options_;
};

}  // namespace

std::vector<std::int64_t> Posterior::head_sizes(std::int64_t latent) const {
  check(params_per_dimension() > 0, "posterior", "expected 1 or more parameters per dimension, got {}",
        params_per_dimension());
  return std::vector<std::int64_t>(static_cast<std::size_t>(params_per_dimension()), latent);
}

PosteriorSample Posterior::rsample_with_kl(const Variable& posterior_params, const Draw& draw,
                                           const Prior& prior, double weight) const {
  const DensitySample sample = rsample_with_log_density(posterior_params, draw);
  return {sample.z, weight * sum(sample.log_density - log_prior(prior, sample.z, draw))};
}

DensitySample Posterior::rsample_with_log_density(const Variable& posterior_params, const Draw& draw) const {
  const Variable z = rsample(posterior_params, draw);
  return {z, log_density(posterior_params, z)};
}

RepeatedRows repeated_rows(const Variable& posterior_params, const Draw& draw, const DrawSettings& settings) {
  if (settings.draws == 1) return {posterior_params, draw};
  RepeatedRows repeated{repeat_rows(posterior_params, settings.draws), draw};
  if (!draw.epsilon)
    repeated.draw.epsilon =
        ops::draw_epsilon(draw.noise, posterior_params.shape()[0], settings.latent, settings.draws,
                          posterior_params.dtype(), posterior_params.device());
  // The samples are those of the rows of posterior_params, of which there are fewer.
  repeated.draw.noise.samples = {};
  return repeated;
}

PosteriorDraws draws_of(DensitySample q, const Draw& draw, const Prior& prior, const DrawSettings& settings) {
  if (settings.gradient == EncoderGradient::doubly_reparameterized) {
    const ops::WeightedDraw weighted = ops::doubly_reparameterize(q.z, q.log_density, settings.draws);
    q = {weighted.z, weighted.log_density};
  }
  return {q.z, log_prior(prior, q.z, draw) - q.log_density};
}

PosteriorDraws Posterior::rsample_draws(const Variable& posterior_params, const Draw& draw,
                                        const Prior& prior, const DrawSettings& settings) const {
  const RepeatedRows rows = repeated_rows(posterior_params, draw, settings);
  if (settings.gradient == EncoderGradient::total)
    return draws_of(rsample_with_log_density(rows.params, rows.draw), draw, prior, settings);
  const Variable z = rsample(rows.params, rows.draw);
  return draws_of({z, log_density(rows.params.detach(), z)}, draw, prior, settings);
}

std::shared_ptr<const Posterior> diagonal_gaussian(const DiagonalGaussianOptions& options) {
  check_enumerator("posterior", "scale", options.scale);
  check(options.noise_std >= 0 && std::isfinite(options.noise_std), "posterior",
        "expected a noise_std of 0 or more, got {}", options.noise_std);
  return std::make_shared<DiagonalGaussian>(options);
}

const DiagonalGaussianOptions* diagonal_gaussian_options(const Posterior& posterior) {
  const auto* gaussian = dynamic_cast<const DiagonalGaussian*>(&posterior);
  return gaussian ? &gaussian->options() : nullptr;
}

}  // namespace gpuvae
