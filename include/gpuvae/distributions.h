// The three distributions of a variational autoencoder, each replaceable by a class of one's own: the
// posterior q(z | x), the likelihood p(x | z) and the prior p(z). They are built from differentiable
// operations, so a new one needs densities and draws but no derivatives; examples in
// tests/unit/framework_test.cpp. An object with parameters (a learned prior, a shared variance) belongs to
// one model: where another() makes one like it, each model has its own.
#pragma once

#include <functional>
#include <memory>

#include "gpuvae/nn.h"

namespace gpuvae {

// Which standard normal numbers a reparameterised draw uses.
struct Draw {
  Noise noise = {};
  Tensor samples = {};  // i32 [rows]: the images noise is drawn for; none: rows count from noise.first_sample
  Tensor epsilon = {};  // [rows, latent]: given instead of drawn
};

// What a distribution with parameters of its own is told when its model is built.
struct ModelContext {
  std::int64_t features = 0, latent = 0;
  Initializer initializer = {};
  Device device = Device::cpu();
  bool posterior_has_log_variances = false;  // see Posterior::has_log_variances
  std::function<Variable(const Variable&)>
      encode;  // x [rows, features] to posterior_params, at any later time
};

// p(z). Its base class stands for what every prior has.
class Prior {
 public:
  virtual ~Prior() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // Another of the same settings, which a model that is built takes for its own; null if there are no
  // parameters, so that models may share this one.
  [[nodiscard]] virtual std::shared_ptr<Prior> another() const { return nullptr; }
  virtual void initialize(const ModelContext&) {}
  virtual void collect(std::vector<Parameter>&) {}  // appends the learned parameters
  // Whether this is N(0, I), for which posteriors may know the KL divergence in closed form.
  [[nodiscard]] virtual bool is_standard_normal() const { return false; }
  // log p(z) of each row, nats, [rows, 1]; z [rows, latent].
  [[nodiscard]] virtual Variable log_density(const Variable& z) const = 0;
  [[nodiscard]] virtual Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise,
                                      Device device) const = 0;
};
[[nodiscard]] std::shared_ptr<Prior> standard_normal_prior();
// sum over k of softmax(w)_k N(mean_k, diag(sigma_k^2)), all learned.
[[nodiscard]] std::shared_ptr<Prior> gaussian_mixture_prior(int components);
// The mean of the posteriors of `components` learned pseudo-inputs (Tomczak and Welling, 2018). Pixels in [0,
// 1] if `unit_pixels`. Wants the diagonal Gaussian posterior with log variances.
[[nodiscard]] std::shared_ptr<Prior> vamp_prior(int components, bool unit_pixels = true);

// q(z | x), from the encoder's outputs ("posterior_params", [rows, params_per_dimension * latent]).
class Posterior {
 public:
  virtual ~Posterior() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual int params_per_dimension() const { return 2; }
  // Whether posterior_params are the mean and the log variance of the very Gaussian that rsample draws from.
  [[nodiscard]] virtual bool has_log_variances() const { return false; }
  [[nodiscard]] virtual Variable mean(const Variable& posterior_params) const = 0;  // [rows, latent]
  // [rows, latent], differentiable.
  [[nodiscard]] virtual Variable rsample(const Variable& posterior_params, const Draw& draw) const = 0;
  // log density at z of what rsample draws, nats, [rows, 1].
  [[nodiscard]] virtual Variable log_density(const Variable& posterior_params, const Variable& z) const = 0;
  // KL(q || N(0, 1)) of each row and dimension, nats, [rows, latent]; undefined where no closed form is
  // known.
  [[nodiscard]] virtual Variable kl_to_standard_normal(const Variable&) const { return {}; }
  // log of the mean over the rows of `posterior_params` of their densities at z, the aggregated posterior,
  // nats, [z's rows, 1]; undefined where it is not known.
  [[nodiscard]] virtual Variable aggregate_log_density(const Variable& /*posterior_params*/,
                                                       const Variable& /*z*/) const {
    return {};
  }
  // A draw, and weight times the sum over rows of KL(q || prior), nats: in closed form where there is one,
  // else estimated at the draw, log q(z | x) - log p(z).
  [[nodiscard]] virtual PosteriorSample rsample_with_kl(const Variable& posterior_params, const Draw& draw,
                                                        const Prior& prior, double weight) const;
};
struct DiagonalGaussianOptions {
  PosteriorScale scale = PosteriorScale::log_variance;
  double noise_std =
      1;  // z = mean + noise_std epsilon sigma; anything but 1 is not the posterior of the KL term
};
[[nodiscard]] std::shared_ptr<const Posterior> diagonal_gaussian(const DiagonalGaussianOptions& options = {});

// p(x | z), from the decoder's outputs ("params", [rows, params_per_feature * features]).
class Likelihood {
 public:
  virtual ~Likelihood() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual int params_per_feature() const { return 1; }
  [[nodiscard]] virtual std::shared_ptr<Likelihood> another() const { return nullptr; }  // as Prior::another
  virtual void initialize(const ModelContext&) {}
  virtual void collect(std::vector<Parameter>&) {}
  [[nodiscard]] virtual bool is_density() const {
    return false;
  }  // of continuous x in units of the data, not a probability
  // log p(x | z) of each row, nats, [rows, 1]; x [rows, features].
  [[nodiscard]] virtual Variable log_density(const Variable& params, const Variable& x) const = 0;
  // weight times the sum over rows of -log p(x | z), nats, [1].
  [[nodiscard]] virtual Variable negative_log_likelihood(const Variable& params, const Variable& x,
                                                         double weight) const;
  // E[x | z], [rows, features]: what is shown.
  [[nodiscard]] virtual Variable mean(const Variable& params) const = 0;
  // A draw from p(x | z), [rows, features]; throws Error where a likelihood has none.
  [[nodiscard]] virtual Tensor sample(const Variable& params, const Noise& noise) const;
};
// Pixels in [0, 1] as probabilities, from logits; draws are 0 or 1.
[[nodiscard]] std::shared_ptr<Likelihood> bernoulli_likelihood();
// The density on [0, 1] that makes Bernoulli's formula a proper one (Loaiza-Ganem and Cunningham, 2019).
[[nodiscard]] std::shared_ptr<Likelihood> continuous_bernoulli_likelihood();
// A mean (through a sigmoid, unless said otherwise) and a clipped log variance for every pixel.
[[nodiscard]] std::shared_ptr<Likelihood> gaussian_likelihood(const GaussianOptions& options = {});
// A location (through a sigmoid, unless said otherwise) and a clipped log scale for every pixel. It is less
// sensitive to outliers than a Gaussian.
[[nodiscard]] std::shared_ptr<Likelihood> laplace_likelihood(const LaplaceOptions& options = {});
// One learned log variance for all pixels, clipped.
[[nodiscard]] std::shared_ptr<Likelihood> shared_gaussian_likelihood(const GaussianOptions& options = {});
// A standard deviation that does not change.
[[nodiscard]] std::shared_ptr<Likelihood> fixed_gaussian_likelihood(double sigma, bool sigmoid_mean = true);

}  // namespace gpuvae
