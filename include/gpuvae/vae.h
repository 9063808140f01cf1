// Variational autoencoders: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
#pragma once

#include "gpuvae/distributions.h"

namespace gpuvae {

// A description: nothing that a model learns lives here, and two models made from the same options share
// nothing learned.
struct VaeOptions {
  std::int64_t features = 784;                       // values per example, such as the pixels of an image
  std::vector<std::int64_t> encoder_widths = {256};  // of the hidden layers
  std::vector<std::int64_t> decoder_widths = {};     // empty: the encoder's, mirrored
  std::int64_t latent = 2;                           // dimensions of z
  Activation activation = Activation::relu;          // of the hidden layers
  std::shared_ptr<const Posterior> posterior = diagonal_gaussian();       // q(z | x)
  std::shared_ptr<const Likelihood> likelihood = bernoulli_likelihood();  // p(x | z)
  std::shared_ptr<const Prior> prior = standard_normal_prior();           // p(z)
  Initializer initializer = {};                                           // of all layers
  Precision precision = Precision::f32;                                   // of the dense layers' products
};

// Factors of sums over the batch (1 / rows: nats per image), and free bits (Kingma et al., 2016): a dimension
// whose KL divergence, mean over the batch, is below `free_bits` nats is not penalised further.
struct ElboWeights {
  double reconstruction = 1;  // factor of -log p(x | z)
  double kl = 1;              // factor of KL(q(z | x) || p(z))
  double free_bits = 0;       // nats per latent dimension
};
// The two terms of the negative ELBO, each already weighted; [1]. `regularizer` is what is minimised in the
// place of `kl`: the same variable unless there are free bits.
struct Elbo {
  Variable reconstruction;  // -log p(x | z)
  Variable kl;              // KL(q(z | x) || p(z))
  Variable regularizer;     // what is minimised in the place of `kl`
};

// A copy is the same model, as copies of its layers and of their parameters are; a model can be moved at any
// time, also after an optimiser or a trainer was made for it. Calls from several threads are safe while no
// optimiser updates the parameters. Different models on different threads and streams need no lock.
class Vae {
 public:
  // Draws the initial parameters. Throws Error for sizes below 1 and for distributions that do not fit.
  Vae(const VaeOptions& options, Device device);

  // @{
  // q(z | x) for x [rows, features]: its parameters [rows, params_per_dimension * latent], and its mean and a
  // draw, [rows, latent].
  [[nodiscard]] Variable encode(const Variable& x) const { return head_(encoder_(x)); }
  [[nodiscard]] Variable encode_mean(const Variable& x) const { return posterior().mean(encode(x)); }
  [[nodiscard]] Variable encode_sample(const Variable& x, const Draw& draw) const {
    return posterior().rsample(encode(x), draw);
  }
  // @}
  // @{
  // p(x | z) for z [rows, latent]: its parameters [rows, params_per_feature * features], and its mean [rows,
  // features].
  [[nodiscard]] Variable decode(const Variable& z) const { return output_(decoder_(z)); }
  [[nodiscard]] Variable decode_mean(const Variable& z) const { return likelihood().mean(decode(z)); }
  // @}

  // The mean of p(x | mean of q(z | x)), [rows, features].
  [[nodiscard]] Variable reconstruct(const Variable& x) const { return decode_mean(encode_mean(x)); }
  // Draws of z from the prior, with the mean of p(x | z) (for Bernoulli: probabilities) and a draw from it.
  struct Generated {
    Tensor z;     // [rows, latent]
    Tensor mean;  // [rows, features]
    Tensor x;     // [rows, features]
  };
  // `rows` draws, a function of the seed. Throws Error if the likelihood cannot draw.
  [[nodiscard]] Generated sample_prior(std::int64_t rows, std::uint64_t seed) const;
  // A draw of x from p(x | z) at a draw of z from q(z | x), [rows, features].
  [[nodiscard]] Tensor posterior_predictive(const Variable& x, std::uint64_t seed) const;

  // The negative ELBO of x [rows, features] at one draw of z per row. Throws Error if the weights have free
  // bits and the KL divergence has no closed form.
  [[nodiscard]] Elbo negative_elbo(const Variable& x, const Draw& draw, const ElboWeights& weights) const;

  // Handles on all parameters, in a fixed order: those of the layers, then those of likelihood, prior and
  // posterior.
  [[nodiscard]] std::vector<Parameter> parameters() const;
  // How many numbers they are.
  [[nodiscard]] std::int64_t parameter_count() const;
  // As given, with the decoder's widths filled in. The distributions in it only describe the
  // model.
  [[nodiscard]] const VaeOptions& options() const { return options_; }
  // @{
  // The parts of the model. They live as long as a copy of the model.
  [[nodiscard]] const Posterior& posterior() const { return *posterior_; }
  [[nodiscard]] const Likelihood& likelihood() const { return *likelihood_; }
  [[nodiscard]] const Prior& prior() const { return *prior_; }

  [[nodiscard]] const Mlp& encoder() const { return encoder_; }
  [[nodiscard]] const Linear& posterior_head() const { return head_; }
  [[nodiscard]] const Mlp& decoder() const { return decoder_; }
  [[nodiscard]] const Linear& output() const { return output_; }
  // @}
  // Where the parameters live.
  [[nodiscard]] Device device() const { return device_; }

 private:
  [[nodiscard]] Variable free_bits_kl(const Variable& posterior_params, const ElboWeights& weights) const;

  VaeOptions options_;
  Device device_;
  Mlp encoder_, decoder_;
  Linear head_, output_;
  std::shared_ptr<const Posterior> posterior_;
  std::shared_ptr<const Likelihood> likelihood_;
  std::shared_ptr<const Prior> prior_;
};

}  // namespace gpuvae
