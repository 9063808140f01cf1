// Posteriors beyond the diagonal Gaussian: planar flows, inverse autoregressive flows, and a Gaussian with a
// full covariance matrix.
#include "gpuvae/distributions.h"
#include "kernels/check.h"
#include "kernels/ops/covariance.h"
#include "src/distributions/built_in.h"
#include "src/distributions/posterior_draws.h"
#include "src/nn/made.h"

namespace gpuvae {
namespace {

// Base class of posteriors whose density is computed only at their draws.
class DrawnPosterior : public Posterior {
 public:
  Variable rsample(const Variable& posterior_params, const Draw& draw) const final {
    return rsample_with_log_density(posterior_params, draw).z;
  }
  Variable log_density(const Variable&, const Variable&) const final {
    fail("posterior",
         "expected a draw of {}, whose density is known only at its draws (rsample_with_log_density)",
         name());
  }
};

// Base class of normalizing flows on a diagonal Gaussian (Rezende and Mohamed, 2015). The encoder's outputs
// are those of the Gaussian, then those of the flow.
class FlowPosterior : public DrawnPosterior {
 public:
  FlowPosterior(int layers, const DiagonalGaussianOptions& options)
      : options_(options), layers_(layers), base_(diagonal_gaussian(options)) {
    check(layers > 0, "posterior", "expected a flow of 1 or more layers, got {}", layers);
  }
  Variable mean(const Variable& posterior_params) const override {
    const auto [of_base, of_flow] = parts(posterior_params);
    return flow(base_->mean(of_base), of_flow).z;
  }
  DensitySample rsample_with_log_density(const Variable& posterior_params, const Draw& draw) const override {
    const auto [of_base, of_flow] = parts(posterior_params);
    const DensitySample sample = base_->rsample_with_log_density(of_base, draw);
    const FlowSample image = flow(sample.z, of_flow);
    return {image.z, sample.log_density - image.log_det};
  }

 protected:
  // The flow, given its columns of the encoder's outputs.
  virtual FlowSample flow(const Variable& z, const Variable& flow_params) const = 0;
  virtual std::int64_t latent_of(std::int64_t columns) const = 0;
  DiagonalGaussianOptions options_;
  int layers_;

 private:
  struct Parts {
    Variable of_base, of_flow;
  };
  Parts parts(const Variable& posterior_params) const {
    const std::int64_t width = posterior_params.shape()[1], latent = latent_of(width);
    check(latent > 0, "posterior", "expected the {} outputs of an encoder with {}", width, name());
    return {columns(posterior_params, 0, 2 * latent),
            columns(posterior_params, 2 * latent, width - 2 * latent)};
  }

  std::shared_ptr<const Posterior> base_;
};

class Planar final : public FlowPosterior {
 public:
  using FlowPosterior::FlowPosterior;
  std::string name() const override { return "planar flow of " + std::to_string(layers_) + " layers"; }
  std::vector<std::int64_t> head_sizes(std::int64_t latent) const override {
    return {latent, latent, layers_ * (2 * latent + 1)};
  }

 private:
  FlowSample flow(const Variable& z, const Variable& flow_params) const override {
    return planar_flow(z, flow_params);
  }
  std::int64_t latent_of(std::int64_t width) const override {
    const std::int64_t latent = (width - layers_) / (2 + 2 * layers_);
    return latent * (2 + 2 * layers_) + layers_ == width ? latent : 0;
  }
};

// The order of the columns is reversed in every second layer. The context of each layer comes directly from
// the encoder.
class Autoregressive final : public FlowPosterior {
 public:
  Autoregressive(int layers, std::int64_t width, const DiagonalGaussianOptions& options)
      : FlowPosterior(layers, options), width_(width) {
    check(width > 0, "posterior", "expected 1 or more hidden units of an autoregressive flow, got {}", width);
  }
  std::string name() const override {
    return "inverse autoregressive flow of " + std::to_string(layers_) + " layers of " +
           std::to_string(width_) + " units";
  }
  std::shared_ptr<Posterior> clone() const override {
    return std::make_shared<Autoregressive>(layers_, width_, options_);
  }
  std::vector<std::int64_t> head_sizes(std::int64_t latent) const override {
    std::vector<std::int64_t> sizes{latent, latent};
    sizes.insert(sizes.end(), static_cast<std::size_t>(layers_), width_);
    return sizes;
  }
  void initialize(const ModelContext& c) override {
    for (int i = 0; i < layers_; ++i)
      networks_.emplace_back("posterior.flow." + std::to_string(i), c.latent, width_, i % 2 == 1,
                             c.initializer, c.device);
  }
  void collect(std::vector<Parameter>& into) const override {
    for (const Made& network : networks_) network.collect(into);
  }

 private:
  FlowSample flow(const Variable& z, const Variable& flow_params) const override {
    check(!networks_.empty(), "posterior", "expected an initialised flow, got one that no model owns");
    FlowSample sample{z, {}};
    for (int i = 0; i < layers_; ++i) {
      const Variable context = columns(flow_params, i * width_, width_);
      const FlowSample step =
          autoregressive_step(sample.z, networks_[static_cast<std::size_t>(i)](sample.z, context));
      sample = {step.z, sample.log_det ? sample.log_det + step.log_det : step.log_det};
    }
    return sample;
  }
  std::int64_t latent_of(std::int64_t width) const override {
    const std::int64_t rest = width - layers_ * width_;
    return rest > 0 && rest % 2 == 0 ? rest / 2 : 0;
  }

  std::int64_t width_;
  std::vector<Made> networks_;
};

// Returns L^-T epsilon, [rows, latent], by back substitution: minus the derivative of log N(z; mean, L L^T)
// with respect to z at z = mean + L epsilon. `params` are those of sample_full_covariance.
Variable negative_score(const Variable& params, const Variable& epsilon) {
  const NoGradGuard no_grad;
  const std::int64_t latent = epsilon.shape()[1];
  const Variable scales = exp(-columns(params, latent, latent));
  std::vector<Variable> score(static_cast<std::size_t>(latent));
  Variable rest = epsilon;
  for (std::int64_t i = latent - 1; i >= 0; --i) {
    const Variable of_row = columns(rest, i, 1) * columns(scales, i, 1);
    score[static_cast<std::size_t>(i)] = of_row;
    if (i > 0) rest = columns(rest, 0, i) - of_row * columns(params, 2 * latent + i * (i - 1) / 2, i);
  }
  return concat(score, Axis::columns);
}

class FullCovariance final : public DrawnPosterior {
 public:
  std::string name() const override { return "Gaussian with a full covariance matrix"; }
  std::vector<std::int64_t> head_sizes(std::int64_t latent) const override {
    if (latent == 1) return {1, 1};
    return {latent, latent, kernels::covariance_params(latent) - 2 * latent};
  }
  Variable mean(const Variable& posterior_params) const override {
    std::int64_t latent = 1;
    while (kernels::covariance_params(latent) < posterior_params.shape()[1]) ++latent;
    return columns(posterior_params, 0, latent);
  }
  DensitySample rsample_with_log_density(const Variable& posterior_params, const Draw& draw) const override {
    return sample_full_covariance(posterior_params, draw.noise, draw.epsilon);
  }
  // If the parameters count as constants in log q, its derivative with respect to z is known at the draws.
  PosteriorDraws rsample_draws(const Variable& posterior_params, const Draw& draw, const Prior& prior,
                               const DrawSettings& settings) const override {
    if (settings.gradient == EncoderGradient::total)
      return Posterior::rsample_draws(posterior_params, draw, prior, settings);
    const RepeatedRows rows = repeated_rows(posterior_params, draw, settings);
    const Tensor epsilon = rows.draw.epsilon
                               ? rows.draw.epsilon
                               : random_normal({rows.params.shape()[0], settings.latent}, draw.noise, 0, 1,
                                               rows.params.dtype(), rows.params.device());
    const DensitySample q = sample_full_covariance(rows.params, {}, epsilon);
    const Variable along_z = (q.z - q.z.detach()) * negative_score(rows.params, epsilon);
    return draws_of({q.z, q.log_density.detach() - sum(along_z, Axis::columns)}, draw, prior, settings);
  }
  PosteriorSample rsample_with_kl(const Variable& posterior_params, const Draw& draw, const Prior& prior,
                                  double weight) const override {
    if (!prior.is_standard_normal()) return Posterior::rsample_with_kl(posterior_params, draw, prior, weight);
    return sample_full_covariance_with_kl(posterior_params, draw.noise, draw.epsilon, weight);
  }
};

}  // namespace

bool is_flow(const Posterior& posterior) { return dynamic_cast<const FlowPosterior*>(&posterior) != nullptr; }

std::shared_ptr<const Posterior> planar_posterior(int layers, const DiagonalGaussianOptions& options) {
  return std::make_shared<Planar>(layers, options);
}
std::shared_ptr<const Posterior> autoregressive_posterior(int layers, std::int64_t width,
                                                          const DiagonalGaussianOptions& options) {
  return std::make_shared<Autoregressive>(layers, width, options);
}
std::shared_ptr<const Posterior> full_covariance_posterior() { return std::make_shared<FullCovariance>(); }

}  // namespace gpuvae
