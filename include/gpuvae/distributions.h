// The three distributions of a variational autoencoder: the posterior q(z | x), the likelihood p(x | z) and
// the prior p(z). A custom class can replace each of them. Distributions consist of differentiable
// operations, so a custom class implements densities and draws but no derivatives;
// apps/examples/custom_distributions.cpp shows how.
//
// Ownership: the objects in VaeOptions only describe a model. A class whose objects hold parameters, or
// anything else that initialize() creates, must override clone(): each Vae clones such objects and
// initialises the clones. Objects without parameters need no clone(); models share them.
//
// Threads: several threads may call const members at the same time while no optimiser updates the parameters.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "gpuvae/nn.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The standard normal numbers that a reparameterised draw uses.
struct Draw {
  Noise noise = {};  // source of the random numbers, unless `epsilon` is defined

  Tensor epsilon = {};  // [rows, latent], used instead of `noise`; or undefined
};

// The properties of the model that a Vae passes to initialize().
struct ModelContext {
  // Columns of an example: those of x and of a condition (example_columns); for a likelihood, those of x.
  std::int64_t features = 0;
  std::int64_t latent = 0;  // dimensions of z

  Initializer initializer = {};   // initialiser of the layers, with the model's seed
  Device device = Device::cpu();  // device of the parameters

  bool posterior_has_log_variances = false;  // see Posterior::has_log_variances
  // The layers of the model's encoder, which map [rows, features] to posterior_params. Unlike Vae::encode,
  // the function neither fills missing values nor transforms counts. It may be stored and called later.
  std::function<Variable(const Variable&)> encode;
  // Maps examples [rows, features] to the means of q(z | x), [rows, latent], like Vae::encode_mean. Defined
  // for priors only, because the model initialises its posterior first.
  std::function<Variable(const Variable&)> encode_mean = {};
};

// Base class of the three distributions.
class Distribution {
 public:
  virtual ~Distribution() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // a readable name, such as "standard normal"
  // Creates the parameters as new leaves on the model's device. A Vae calls this function once, on its clone.
  virtual void initialize(const ModelContext&) {}
  // Appends the learned parameters. Their names are unique in the model, such as "prior.logits".
  virtual void collect(std::vector<Parameter>&) const {}
};

// Base class of priors p(z).
class Prior : public Distribution {
 public:
  // Returns a new object with the same settings, whose parameters initialize() then creates; or null if the
  // class has no parameters.
  [[nodiscard]] virtual std::shared_ptr<Prior> clone() const { return nullptr; }
  // Whether this is N(0, I), for which a posterior may have a closed-form KL divergence.
  [[nodiscard]] virtual bool is_standard_normal() const { return false; }
  // Returns log p(z) per row in nats, [rows, 1]; z is [rows, latent].
  [[nodiscard]] virtual Variable log_density(const Variable& z) const = 0;
  // Returns log p(z) per row for draws of a training step, as log_density(). A prior may depend on the step
  // and on the examples of the rows, which are those of draw.noise. The default calls log_density.
  [[nodiscard]] virtual Variable training_log_density(const Variable& z, const Draw& draw) const;
  // Returns the same prior for evaluation, which has computed once what depends only on the parameters. It
  // serves until an update of the parameters. The default returns null, which means that log_density()
  // computes nothing that could be kept.
  [[nodiscard]] virtual std::shared_ptr<const Prior> frozen() const { return nullptr; }
  // Returns draws from p(z), f32 [rows, latent] on `device`.
  [[nodiscard]] virtual Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise,
                                      Device device) const = 0;
};
// N(0, I).
[[nodiscard]] std::shared_ptr<Prior> standard_normal_prior();
// A mixture of diagonal Gaussians: sum over k of softmax(w)_k N(mean_k, diag(sigma_k^2)). The weights, means
// and variances are learned.
[[nodiscard]] std::shared_ptr<Prior> gaussian_mixture_prior(int components);
// The VampPrior (Tomczak and Welling, 2018): the mixture, with equal weights, of the posteriors of
// `components` learned pseudo-inputs. If `unit_pixels` is true, a sigmoid keeps the pseudo-inputs in [0, 1].
// Requires the diagonal Gaussian posterior with log variances; a Vae throws Error for any other posterior.
[[nodiscard]] std::shared_ptr<Prior> vamp_prior(int components, bool unit_pixels = true);

// How Posterior::rsample_draws draws.
struct DrawSettings {
  std::int64_t draws = 1;                             // per row
  std::int64_t latent = 0;                            // dimensions of z
  EncoderGradient gradient = EncoderGradient::total;  // what the encoder's gradient contains
};
// Base class of posteriors q(z | x), given the encoder's outputs: "posterior_params" [rows, sum of
// head_sizes(latent)].
class Posterior : public Distribution {
 public:
  // See Prior::clone.
  [[nodiscard]] virtual std::shared_ptr<Posterior> clone() const { return nullptr; }
  // The number of encoder outputs per latent dimension, for a class that does not override head_sizes.
  [[nodiscard]] virtual int params_per_dimension() const { return 2; }
  // The numbers of encoder outputs of each kind, such as the means. The outputs of a kind are initialised
  // like a separate layer. The default is params_per_dimension() kinds of `latent` outputs each.
  [[nodiscard]] virtual std::vector<std::int64_t> head_sizes(std::int64_t latent) const;
  // Whether posterior_params are the mean and the log variance of the Gaussian from which rsample draws.
  [[nodiscard]] virtual bool has_log_variances() const { return false; }
  // Returns the code of x, [rows, latent]: the posterior's mean or, if that has no closed form, the image of
  // the mean of the noise under the posterior's transformation.
  [[nodiscard]] virtual Variable mean(const Variable& posterior_params) const = 0;
  // Returns a reparameterised draw, [rows, latent], which is differentiable with respect to the parameters.
  [[nodiscard]] virtual Variable rsample(const Variable& posterior_params, const Draw& draw) const = 0;
  // Returns the log density at z [rows, latent] of the distribution from which rsample draws, in nats, [rows,
  // 1]. A class that can compute the density only at its draws throws Error here and overrides
  // rsample_with_log_density.
  [[nodiscard]] virtual Variable log_density(const Variable& posterior_params, const Variable& z) const = 0;
  // Returns a draw and its log density. A normalizing flow computes both at once (Rezende and Mohamed, 2015).
  // The default calls rsample and log_density.
  [[nodiscard]] virtual DensitySample rsample_with_log_density(const Variable& posterior_params,
                                                               const Draw& draw) const;
  // Returns KL(q || N(0, 1)) per row and dimension in nats, [rows, latent]. The default returns an undefined
  // variable, which means that no closed form is known.
  [[nodiscard]] virtual Variable kl_to_standard_normal(const Variable&) const { return {}; }
  // Returns the log density at z of the aggregated posterior, in nats, [rows of z, 1]: the mixture, with
  // equal weights, of the posteriors in the rows of `posterior_params`. The default returns an undefined
  // variable, which means that the class cannot compute the density.
  [[nodiscard]] virtual Variable aggregate_log_density(const Variable& /*posterior_params*/,
                                                       const Variable& /*z*/) const {
    return {};
  }
  // Returns a draw and its KL term: weight times the sum over rows of KL(q || prior) in nats. A class may
  // compute the KL divergence in closed form. The default estimates the KL divergence at the draw as log
  // q(z | x) - log p(z).
  [[nodiscard]] virtual PosteriorSample rsample_with_kl(const Variable& posterior_params, const Draw& draw,
                                                        const Prior& prior, double weight) const;
  // Returns several draws per row, those of row 0 first, and log p(z) - log q(z | x) of each, for objectives
  // of several draws; see sample_posterior_draws for the random numbers and the gradients. The default
  // repeats the rows of posterior_params. It calls rsample_with_log_density or, if the parameters of q count
  // as constants, rsample and log_density.
  [[nodiscard]] virtual PosteriorDraws rsample_draws(const Variable& posterior_params, const Draw& draw,
                                                     const Prior& prior, const DrawSettings& settings) const;
};
// Settings of diagonal_gaussian().
struct DiagonalGaussianOptions {
  PosteriorScale scale = PosteriorScale::log_variance;  // meaning of the second half of posterior_params
  // z = mean + noise_std epsilon sigma. With the prior N(0, I), the KL divergence is that of N(mean,
  // sigma^2), which the draws follow only if noise_std is 1.
  double noise_std = 1;
};
// q(z | x) = N(mean, diag(sigma^2)), with mean and sigma from the encoder (Kingma and Welling, 2013).
[[nodiscard]] std::shared_ptr<const Posterior> diagonal_gaussian(const DiagonalGaussianOptions& options = {});
// A planar flow of `layers` layers (planar_flow) on the diagonal Gaussian. The encoder computes the
// parameters of all layers for each example. Like those of the other posteriors below, its density is known
// only at its draws, and its KL divergence is estimated at the draw: log q(z | x) - log p(z). Throws Error
// for fewer than 1 layers.
[[nodiscard]] std::shared_ptr<const Posterior> planar_posterior(int layers,
                                                                const DiagonalGaussianOptions& options = {});
// An inverse autoregressive flow on the diagonal Gaussian (Kingma et al., 2016). Each of the `layers` layers
// is an autoregressive_step whose m and s come from a masked network with `width` hidden units with ReLU
// (Germain et al., 2015), to which the encoder adds a context for each example. Every second layer reverses
// the order of the dimensions. Throws Error for numbers below 1.
[[nodiscard]] std::shared_ptr<const Posterior> autoregressive_posterior(
    int layers, std::int64_t width = 200, const DiagonalGaussianOptions& options = {});
// q(z | x) = N(mean, L L^T), with the lower triangular L from the encoder (sample_full_covariance). With the
// prior N(0, I), the KL divergence is computed in closed form.
[[nodiscard]] std::shared_ptr<const Posterior> full_covariance_posterior();

// Base class of likelihoods p(x | z), given the decoder's outputs: "params" [rows, outputs(features)].
class Likelihood : public Distribution {
 public:
  // See Prior::clone.
  [[nodiscard]] virtual std::shared_ptr<Likelihood> clone() const { return nullptr; }
  // The number of decoder outputs per feature. The outputs of each kind, such as the means, are initialised
  // like a separate layer.
  [[nodiscard]] virtual int params_per_feature() const { return 1; }
  // The number of decoder outputs. Only a likelihood whose features have different numbers of outputs
  // overrides this function. Throws Error if the likelihood does not fit the number of features.
  [[nodiscard]] virtual std::int64_t outputs(std::int64_t features) const {
    return params_per_feature() * features;
  }
  // Whether x may have missing values (NaN), which then do not count in log_density() and
  // negative_log_likelihood().
  [[nodiscard]] virtual bool supports_missing_values() const { return false; }
  // Whether x holds counts, whole numbers of 0 or more, and the first `features` parameters are the logs of
  // their means.
  [[nodiscard]] virtual bool is_count() const { return false; }
  // Returns the form in which x [rows, features] enters the encoder if VaeOptions::log1p_counts is set: log(1
  // + x) for counts, and x itself for other data.
  [[nodiscard]] virtual Variable encoder_input(const Variable& x) const { return is_count() ? log1p(x) : x; }
  // Whether log_density() returns the log of a probability density of continuous data, not of a probability.
  [[nodiscard]] virtual bool is_density() const { return false; }
  // Returns log p(x | z) per row in nats, [rows, 1]; x is [rows, features].
  [[nodiscard]] virtual Variable log_density(const Variable& params, const Variable& x) const = 0;
  // Whether log_density() also accepts x of [rows / n, features], of which each row applies to n consecutive
  // rows of `params`. Otherwise, objectives of several draws repeat the rows of x in memory.
  [[nodiscard]] virtual bool repeats_targets() const { return false; }
  // Returns weight times the sum over rows of -log p(x | z) in nats, [1].
  [[nodiscard]] virtual Variable negative_log_likelihood(const Variable& params, const Variable& x,
                                                         double weight) const;
  // Returns E[x | z], [rows, features], which serves as the reconstruction.
  [[nodiscard]] virtual Variable mean(const Variable& params) const = 0;
  // Returns mean() for rows whose examples x [rows, features] are known. A likelihood may use the parts of x
  // that it does not model, such as the library size of a row. The default returns mean(params).
  [[nodiscard]] virtual Variable mean_given(const Variable& params, const Variable& x) const;
  // Returns a draw from p(x | z), [rows, features]. Throws Error if the likelihood cannot draw.
  [[nodiscard]] virtual Tensor sample(const Variable& params, const Noise& noise) const;
  // Returns outputs(means.size()) outputs of the decoder for which mean() is about `means`, one per feature,
  // with which a decoder may start (start_output_bias). The default returns none, which means that no such
  // outputs are known.
  [[nodiscard]] virtual std::vector<double> outputs_of_mean(std::span<const double> means) const;
};
// Bernoulli distribution with one logit per feature. Features may be any value in [0, 1] (soft targets).
// Draws are 0 or 1.
[[nodiscard]] std::shared_ptr<Likelihood> bernoulli_likelihood();
// Continuous Bernoulli distribution, which normalises Bernoulli's formula to a density on [0, 1]
// (Loaiza-Ganem and Cunningham, 2019).
[[nodiscard]] std::shared_ptr<Likelihood> continuous_bernoulli_likelihood();
// Gaussian with a mean and a clipped log variance per feature. By default, the mean is the sigmoid of its
// parameter.
[[nodiscard]] std::shared_ptr<Likelihood> gaussian_likelihood(const GaussianOptions& options = {});
// Laplace distribution with a location and a clipped log scale per feature. By default, the location is the
// sigmoid of its parameter. The Laplace distribution is less sensitive to outliers than a Gaussian.
[[nodiscard]] std::shared_ptr<Likelihood> laplace_likelihood(const LaplaceOptions& options = {});
// Gaussian with a mean per feature, and one learned, clipped log variance for all features.
[[nodiscard]] std::shared_ptr<Likelihood> shared_gaussian_likelihood(const GaussianOptions& options = {});
// Gaussian with a mean per feature (the sigmoid of its parameter if `sigmoid_mean` is true) and a fixed
// standard deviation `sigma` above 0.
[[nodiscard]] std::shared_ptr<Likelihood> fixed_gaussian_likelihood(double sigma, bool sigmoid_mean = true);
// Discretised logistic distribution of bytes, with a location and a clipped log scale per feature; x is byte
// / 255. Its log density is that of a probability, so that the loss in bits per dimension is comparable with
// those of other models of bytes. The location serves as the mean; it differs from E[x | z] by less than half
// a byte unless the edges cut off much of the distribution. See discretized_logistic_nll.
[[nodiscard]] std::shared_ptr<Likelihood> discretized_logistic_likelihood(
    const DiscretizedLogisticOptions& options = {});
// Poisson distribution of counts, with the log of the mean per feature.
[[nodiscard]] std::shared_ptr<Likelihood> poisson_likelihood();
// Negative binomial distribution of counts, with the log of the mean per feature from the decoder, and a
// learned log inverse dispersion per feature that starts at 0: the variance is mean + mean^2 exp(-that).
[[nodiscard]] std::shared_ptr<Likelihood> negative_binomial_likelihood();
// Like negative_binomial_likelihood, with a further decoder output per feature: the logit of the probability
// that the count is 0 regardless of the mean.
[[nodiscard]] std::shared_ptr<Likelihood> zero_inflated_negative_binomial_likelihood();
// Categorical variables, each a group of consecutive one-hot columns. `sizes` has the number of columns of
// each group.
[[nodiscard]] std::shared_ptr<Likelihood> categorical_likelihood(std::vector<std::int64_t> sizes);

// Consecutive columns of a table that share a likelihood. Without a likelihood, a column is the library size
// of counts.
struct ColumnBlock {
  std::shared_ptr<const Likelihood> likelihood = {};  // of these columns; or null
  std::int64_t columns = 1;                           // number of columns
};
// A product of likelihoods for a table whose columns have different types (as in Nazabal et al.,
// arXiv:1807.03653). Each block has the decoder outputs of its likelihood, one block after the other. At most
// one block, of one column, has no likelihood: this column is not modelled, but holds the library size L of
// each row, such as the total count. The means of all counts are then multiplied by L / library_reference;
// where L is missing or not known, as in mean() and sample(), it is the reference. mean_given() uses the L of
// each row. Throws Error if there are no blocks, and for a reference that is not positive.
[[nodiscard]] std::shared_ptr<Likelihood> product_likelihood(std::vector<ColumnBlock> blocks,
                                                             double library_reference = 1);

}  // namespace gpuvae
#pragma GCC visibility pop
