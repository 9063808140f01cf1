// Variational autoencoders: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
#pragma once

#include "gpuvae/distributions.h"

namespace gpuvae {

struct VaeOptions {
  std::int64_t features = 784;  // values per example, such as the pixels of an image
  std::vector<std::int64_t> encoder_widths = {256};
  std::vector<std::int64_t> decoder_widths = {};  // empty: the encoder's, mirrored
  std::int64_t latent = 2;
  Activation activation = Activation::relu;
  std::shared_ptr<const Posterior> posterior = diagonal_gaussian();
  std::shared_ptr<Likelihood> likelihood = bernoulli_likelihood();
  std::shared_ptr<Prior> prior = standard_normal_prior();
  Initializer initializer = {};
  Precision precision = Precision::f32;  // of the dense layers' products
};

// Factors of sums over the batch (1 / rows: nats per image), and free bits (Kingma et al., 2016): a dimension
// whose KL divergence, mean over the batch, is below `free_bits` nats is not penalised further.
struct ElboWeights {
  double reconstruction = 1, kl = 1, free_bits = 0;
};
// The two terms of the negative ELBO, each already weighted; [1]. `regularizer` is what is minimised in the
// place of `kl`: the same variable unless there are free bits.
struct Elbo {
  Variable reconstruction, kl, regularizer;
};

class Vae {
 public:
  Vae(const VaeOptions& options, Device device);
  Vae(const Vae&) = delete;  // an optimiser refers to its parameters
  Vae& operator=(const Vae&) = delete;

  // q(z | x): its parameters, its mean, a draw. x [rows, features].
  [[nodiscard]] Variable encode(const Variable& x) const { return posterior_(encoder_(x)); }
  [[nodiscard]] Variable encode_mean(const Variable& x) const { return options_.posterior->mean(encode(x)); }
  [[nodiscard]] Variable encode_sample(const Variable& x, const Draw& draw) const {
    return options_.posterior->rsample(encode(x), draw);
  }
  // p(x | z): its parameters, its mean. z [rows, latent].
  [[nodiscard]] Variable decode(const Variable& z) const { return output_(decoder_(z)); }
  [[nodiscard]] Variable decode_mean(const Variable& z) const { return options_.likelihood->mean(decode(z)); }

  // The mean of p(x | mean of q(z | x)).
  [[nodiscard]] Variable reconstruct(const Variable& x) const { return decode_mean(encode_mean(x)); }
  // z from the prior, with the mean of p(x | z) (for Bernoulli: probabilities) and a draw from it.
  struct Generated {
    Tensor z, mean, x;
  };
  [[nodiscard]] Generated sample_prior(std::int64_t rows, std::uint64_t seed) const;
  // A draw of x from p(x | z) at a draw of z from q(z | x).
  [[nodiscard]] Tensor posterior_predictive(const Variable& x, std::uint64_t seed) const;

  [[nodiscard]] Elbo negative_elbo(const Variable& x, const Draw& draw, const ElboWeights& weights) const;

  [[nodiscard]] std::vector<Parameter> parameters();
  [[nodiscard]] std::int64_t parameter_count();
  [[nodiscard]] const VaeOptions& options() const { return options_; }
  [[nodiscard]] Device device() const { return device_; }
  [[nodiscard]] const Mlp& encoder() const { return encoder_; }
  [[nodiscard]] const Linear& posterior_head() const { return posterior_; }
  [[nodiscard]] const Mlp& decoder() const { return decoder_; }
  [[nodiscard]] const Linear& output() const { return output_; }

 private:
  [[nodiscard]] Variable free_bits_kl(const Variable& posterior_params, const ElboWeights& weights) const;

  VaeOptions options_;
  Device device_;
  Mlp encoder_, decoder_;
  Linear posterior_, output_;
};

}  // namespace gpuvae
