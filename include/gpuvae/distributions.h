// The three distributions of a variational autoencoder: the posterior q(z | x), the likelihood p(x | z) and
// the prior p(z). Each can be replaced by a custom class. They are built from differentiable operations, so a
// new class needs densities and draws but no derivatives; apps/examples/custom_distributions.cpp is an
// example.
//
// Ownership: the objects in VaeOptions describe a model, and each Vae owns the objects that it uses. A class
// whose objects hold parameters, or anything else that initialize() creates, overrides clone(): a Vae clones
// the object of its options and initialises the clone. Objects without parameters need no clone(); models
// share them.
//
// Threads: const members may be called from several threads at once while no optimiser updates the
// parameters.
#pragma once

#include <functional>
#include <memory>

#include "gpuvae/nn.h"

namespace gpuvae {

// Which standard normal numbers a reparameterised draw uses.
struct Draw {
  Noise noise = {};  // which numbers are drawn

  Tensor epsilon = {};  // [rows, latent]: used instead of drawn noise; or undefined
};

// What initialize() learns about the model.
struct ModelContext {
  std::int64_t features = 0;  // of an example
  std::int64_t latent = 0;    // dimensions of its code

  Initializer initializer = {};   // of the layers; its seed is the model's
  Device device = Device::cpu();  // where parameters live

  bool posterior_has_log_variances = false;  // see Posterior::has_log_variances
  // The model's encoder, x [rows, features] to posterior_params. It may be kept and called later.
  std::function<Variable(const Variable&)> encode;
};

// Base class of the three distributions.
class Distribution {
 public:
  virtual ~Distribution() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // for people, such as "standard normal"
  // Creates the parameters as new leaves on the model's device. A Vae calls it once, on the clone that it
  // owns.
  virtual void initialize(const ModelContext&) {}
  // Appends the learned parameters. Their names are unique in the model, such as "prior.logits".
  virtual void collect(std::vector<Parameter>&) const {}
};

// Base class of priors p(z).
class Prior : public Distribution {
 public:
  // A new object with the same settings, which initialize() completes; null if there are no parameters.
  [[nodiscard]] virtual std::shared_ptr<Prior> clone() const { return nullptr; }
  // Whether this is N(0, I), for which posteriors may know the KL divergence in closed form.
  [[nodiscard]] virtual bool is_standard_normal() const { return false; }
  // log p(z) of each row, nats, [rows, 1]; z [rows, latent].
  [[nodiscard]] virtual Variable log_density(const Variable& z) const = 0;
  // Draws from p(z), f32 [rows, latent] on `device`.
  [[nodiscard]] virtual Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise,
                                      Device device) const = 0;
};
// N(0, I).
[[nodiscard]] std::shared_ptr<Prior> standard_normal_prior();
// A mixture of diagonal Gaussians: sum over k of softmax(w)_k N(mean_k, diag(sigma_k^2)), all learned.
[[nodiscard]] std::shared_ptr<Prior> gaussian_mixture_prior(int components);
// The mean of the posteriors of `components` learned pseudo-inputs (Tomczak and Welling, 2018), whose
// features are in [0, 1] if `unit_pixels`. Requires the diagonal Gaussian posterior with log variances; else
// a Vae throws Error.
[[nodiscard]] std::shared_ptr<Prior> vamp_prior(int components, bool unit_pixels = true);

// A draw and its log density, log q(z | x).
struct DensitySample {
  Variable z;            // [rows, latent]
  Variable log_density;  // [rows, 1], nats
};
// Base class of posteriors q(z | x), given the encoder's outputs: "posterior_params" [rows,
// params_per_dimension * latent].
class Posterior : public Distribution {
 public:
  // As Prior::clone.
  [[nodiscard]] virtual std::shared_ptr<Posterior> clone() const { return nullptr; }
  // How many outputs of the encoder a latent dimension has. Each kind is initialised as a separate layer.
  [[nodiscard]] virtual int params_per_dimension() const { return 2; }
  // Whether posterior_params are the mean and the log variance of the very Gaussian that rsample draws from.
  [[nodiscard]] virtual bool has_log_variances() const { return false; }
  // The code that stands for x, [rows, latent]: the mean, or, where that has no closed form, what the
  // posterior maps the mean of its noise to.
  [[nodiscard]] virtual Variable mean(const Variable& posterior_params) const = 0;
  // A reparameterised draw, [rows, latent]: differentiable in the parameters.
  [[nodiscard]] virtual Variable rsample(const Variable& posterior_params, const Draw& draw) const = 0;
  // log density at z [rows, latent] of what rsample draws, nats, [rows, 1]. A class that can compute it at
  // its own draws only throws Error here and overrides rsample_with_log_density.
  [[nodiscard]] virtual Variable log_density(const Variable& posterior_params, const Variable& z) const = 0;
  // A draw together with its density, which a flow knows from the way to the draw (Rezende and Mohamed,
  // 2015). The default calls rsample and log_density.
  [[nodiscard]] virtual DensitySample rsample_with_log_density(const Variable& posterior_params,
                                                               const Draw& draw) const;
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
  // else estimated at the draw, log q(z | x) - log p(z). The default estimates it.
  [[nodiscard]] virtual PosteriorSample rsample_with_kl(const Variable& posterior_params, const Draw& draw,
                                                        const Prior& prior, double weight) const;
};
// Settings of diagonal_gaussian().
struct DiagonalGaussianOptions {
  PosteriorScale scale = PosteriorScale::log_variance;  // meaning of the second half of posterior_params
  // z = mean + noise_std epsilon sigma. With another value than 1, draws are not from the posterior of the
  // KL.
  double noise_std = 1;
};
// q(z | x) = N(mean, diag(sigma^2)), with mean and sigma from the encoder (Kingma and Welling, 2013).
[[nodiscard]] std::shared_ptr<const Posterior> diagonal_gaussian(const DiagonalGaussianOptions& options = {});

// Base class of likelihoods p(x | z), given the decoder's outputs: "params" [rows, params_per_feature *
// features].
class Likelihood : public Distribution {
 public:
  // As Prior::clone.
  [[nodiscard]] virtual std::shared_ptr<Likelihood> clone() const { return nullptr; }
  // How many outputs of the decoder a feature has. Each kind is initialised as a separate layer.
  [[nodiscard]] virtual int params_per_feature() const { return 1; }
  // Whether log_density is that of continuous x in units of the data, rather than a probability.
  [[nodiscard]] virtual bool is_density() const { return false; }
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
// Features in [0, 1] as probabilities, from logits; draws are 0 or 1.
[[nodiscard]] std::shared_ptr<Likelihood> bernoulli_likelihood();
// The density on [0, 1] that makes Bernoulli's formula a proper one (Loaiza-Ganem and Cunningham, 2019).
[[nodiscard]] std::shared_ptr<Likelihood> continuous_bernoulli_likelihood();
// A mean (through a sigmoid, unless said otherwise) and a clipped log variance for every feature.
[[nodiscard]] std::shared_ptr<Likelihood> gaussian_likelihood(const GaussianOptions& options = {});
// A location (through a sigmoid, unless said otherwise) and a clipped log scale for every feature. It is less
// sensitive to outliers than a Gaussian.
[[nodiscard]] std::shared_ptr<Likelihood> laplace_likelihood(const LaplaceOptions& options = {});
// A mean for every feature, and one learned, clipped log variance for all.
[[nodiscard]] std::shared_ptr<Likelihood> shared_gaussian_likelihood(const GaussianOptions& options = {});
// A mean for every feature (through a sigmoid if `sigmoid_mean`), and a fixed standard deviation above 0.
[[nodiscard]] std::shared_ptr<Likelihood> fixed_gaussian_likelihood(double sigma, bool sigmoid_mean = true);

}  // namespace gpuvae
