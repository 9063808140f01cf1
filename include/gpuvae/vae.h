// Variational autoencoders: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
#pragma once

#include "gpuvae/distributions.h"
#include "gpuvae/objective.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The description of a model. It holds no parameters, so two models with the same options share none.
struct VaeOptions {
  std::int64_t features = 784;                       // values of x, such as the pixels of an image
  std::vector<std::int64_t> encoder_widths = {256};  // widths of the hidden layers
  std::vector<std::int64_t> decoder_widths = {};     // empty: the encoder's widths in reverse order
  std::int64_t latent = 2;                           // dimensions of z
  Activation activation = Activation::relu;          // activation of the hidden layers
  std::shared_ptr<const Posterior> posterior = diagonal_gaussian();       // q(z | x)
  std::shared_ptr<const Likelihood> likelihood = bernoulli_likelihood();  // p(x | z)
  std::shared_ptr<const Prior> prior = standard_normal_prior();           // p(z)
  Initializer initializer = {};                                           // initialiser of all layers
  Precision precision = Precision::f32;  // precision of the dense layers' products
  // Whether x may have missing values, which are NaN. The encoder gets 0 in their place, and they do not
  // count in the likelihood, which must support this.
  bool missing_values = false;
  // Whether counts enter the encoder as log(1 + x); see Likelihood::encoder_input.
  bool log1p_counts = false;
  bool gated = false;  // whether the hidden layers are gated (GatedLinear), without `activation`
  // Values of the condition y of a conditional model p(x | y) (Kingma et al., "Semi-supervised learning with
  // deep generative models", 2014; Sohn et al., 2015), such as the one-hot code of a class; 0: none. An
  // example is then a row [x, y]. Encoder and decoder get y, and the prior p(z) does not depend on it.
  std::int64_t conditions = 0;
};

// Returns the columns of an example: those of x, and those of the condition y.
[[nodiscard]] inline std::int64_t example_columns(const VaeOptions& o) { return o.features + o.conditions; }

// Weights of the two terms of the negative ELBO. The terms are sums over the batch, so a weight of 1 / rows
// yields nats per image. With free bits (Kingma et al., 2016), a latent dimension whose KL divergence,
// averaged over the batch, is below `free_bits` nats is not penalised.
struct ElboWeights {
  double reconstruction = 1;  // factor of -log p(x | z)
  double kl = 1;              // factor of KL(q(z | x) || p(z))
  double free_bits = 0;       // nats per latent dimension
};
// The two terms of the negative ELBO, [1] each, with their weights applied. Minimise reconstruction +
// regularizer; `kl` is for reports. `regularizer` and `kl` are the same variable unless there are free bits.
struct Elbo {
  Variable reconstruction;  // -log p(x | z)
  Variable kl;              // KL(q(z | x) || p(z))
  Variable regularizer;     // the KL term to minimise, with free bits
};

// Copies refer to the same model: they share the layers and the parameters. A model can be moved at any time,
// even after an optimiser or a trainer was constructed for it. The functions of a moved-from model throw
// Error, except those that return a stored value. Calls from several threads are safe while no optimiser
// updates the parameters. Different models on different threads and streams need no lock.
class Vae {
 public:
  // Draws the initial parameters. Throws Error for sizes below 1 and for distributions that do not fit
  // together.
  Vae(const VaeOptions& options, Device device);

  // In the functions below, the examples x of a conditional model are rows [x, y] of example_columns().
  // @{
  // The posterior q(z | x) for x [rows, features]: encode() returns its parameters, [rows, sum of
  // Posterior::head_sizes]; encode_mean() returns its mean and encode_sample() a draw, both [rows, latent].
  [[nodiscard]] Variable encode(const Variable& x) const { return head_(encoder_(encoder_input(x))); }
  [[nodiscard]] Variable encode_mean(const Variable& x) const { return posterior().mean(encode(x)); }
  [[nodiscard]] Variable encode_sample(const Variable& x, const Draw& draw) const {
    return posterior().rsample(encode(x), draw);
  }
  // @}
  // @{
  // The likelihood p(x | z) for z [rows, latent]: decode() returns its parameters, [rows,
  // params_per_feature * features], and decode_mean() its mean, [rows, features]. A conditional model
  // requires the condition y [rows / n, conditions], each of whose rows applies to n consecutive rows of z.
  [[nodiscard]] Variable decode(const Variable& z, const Tensor& y = {}) const;
  [[nodiscard]] Variable decode_mean(const Variable& z, const Tensor& y = {}) const {
    return likelihood().mean(decode(z, y));
  }
  // @}
  // @{
  // The parts of an example [x, y]: x [rows, features], and y [rows, conditions] or, without conditions, an
  // undefined tensor.
  [[nodiscard]] Variable features_of(const Variable& x) const {
    return options_.conditions == 0 ? x : columns(x, 0, options_.features);
  }
  [[nodiscard]] Tensor condition_of(const Variable& x) const;
  // @}

  // The mean of p(x | mean of q(z | x)), [rows, features]. For a model with missing_values, it estimates the
  // missing values, too. Counts with a library size are those at the library size of their row.
  [[nodiscard]] Variable reconstruct(const Variable& x) const {
    return likelihood().mean_given(decode(encode_mean(x), condition_of(x)), features_of(x));
  }
  // Returns x with its missing values replaced by those of reconstruct(x), [rows, features].
  [[nodiscard]] Tensor impute(const Variable& x) const;
  // The result of sample_prior(): draws of z from the prior, the means of p(x | z) (for Bernoulli: the
  // probabilities), and draws of x from p(x | z).
  struct Generated {
    Tensor z;     // [rows, latent]
    Tensor mean;  // [rows, features]
    Tensor x;     // [rows, features]
  };
  // Returns `rows` draws, which depend only on the seed, the model and the condition y, which is that of
  // decode(). Throws Error if the likelihood cannot draw.
  [[nodiscard]] Generated sample_prior(std::int64_t rows, std::uint64_t seed, const Tensor& y = {}) const;
  // Draws z from q(z | x) for each row of x and returns a draw from p(x | z), [rows, features].
  [[nodiscard]] Tensor posterior_predictive(const Variable& x, std::uint64_t seed) const;

  // Returns the negative ELBO of x [rows, features], estimated with one draw of z per row. It is a bound on
  // -log p(x) or, with a condition, on -log p(x | y). Throws Error if free_bits is above 0 and the KL
  // divergence has no closed form.
  [[nodiscard]] Elbo negative_elbo(const Variable& x, const Draw& draw, const ElboWeights& weights) const;
  // Returns minus an objective of x [rows, features], estimated with objective.draws() draws of z per row.
  // Draw 0 of a row is that of negative_elbo, and the others continue the random numbers of the row. Throws
  // Error for an objective that is not valid (check_objective), and for stl, iwae_stl and dreg if the
  // posterior can compute its log density only at its draws.
  [[nodiscard]] ObjectiveLoss negative_objective(const Variable& x, const Draw& draw,
                                                 const Objective& objective,
                                                 const ObjectiveWeights& weights = {}) const;

  // Returns a copy for evaluation, whose prior has computed once what depends only on the parameters
  // (Prior::frozen), such as the codes of all exemplars. Its results are those of this model, until an update
  // of the parameters makes them outdated.
  [[nodiscard]] Vae for_evaluation() const;

  // Returns handles to all parameters in a fixed order: those of the layers, then those of likelihood, prior
  // and posterior.
  [[nodiscard]] std::vector<Parameter> parameters() const;
  // The total number of elements of all parameters.
  [[nodiscard]] std::int64_t parameter_count() const;
  // The options of the constructor, with the decoder's widths filled in. Their distributions only describe
  // the model; the model uses those below.
  [[nodiscard]] const VaeOptions& options() const { return options_; }
  // @{
  // The parts of the model. The references are valid as long as a copy of the model exists.
  [[nodiscard]] const Posterior& posterior() const;
  [[nodiscard]] const Likelihood& likelihood() const;
  [[nodiscard]] const Prior& prior() const;

  [[nodiscard]] const Mlp& encoder() const { return encoder_; }
  [[nodiscard]] const Linear& posterior_head() const { return head_; }
  [[nodiscard]] const Mlp& decoder() const { return decoder_; }
  [[nodiscard]] const Linear& output() const { return output_; }
  // @}
  // The device of the parameters.
  [[nodiscard]] Device device() const { return device_; }

 private:
  // Returns x with missing values filled and counts transformed, as the options say.
  [[nodiscard]] Variable encoder_input(const Variable& x) const;
  [[nodiscard]] Variable free_bits_kl(const Variable& posterior_params, const ElboWeights& weights) const;
  [[nodiscard]] Variable closed_kl(const Variable& posterior_params) const;
  [[nodiscard]] Variable row_log_likelihood(const Variable& params, const Variable& x,
                                            std::int64_t draws) const;
  void check_fixed_distributions() const;
  [[nodiscard]] Variable decoder_input(const Variable& z, const Tensor& y) const;
  [[nodiscard]] Variable decode_by_constants(const Variable& z, const Tensor& y) const;
  [[nodiscard]] Variable decoder_loss(const Variable& x, const PosteriorDraws& draws,
                                      const ImportanceOptions& options) const;

  VaeOptions options_;
  Device device_;
  Mlp encoder_, decoder_;
  Linear head_, output_;
  std::shared_ptr<const Posterior> posterior_;
  std::shared_ptr<const Likelihood> likelihood_;
  std::shared_ptr<const Prior> prior_;
};

}  // namespace gpuvae
#pragma GCC visibility pop
