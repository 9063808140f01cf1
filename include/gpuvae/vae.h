// Variational autoencoders: Kingma and Welling, "Auto-encoding variational Bayes", 2013.
#pragma once

#include <memory>

#include "gpuvae/nn.h"

namespace gpuvae {

// p(x | z), from the decoder's outputs ("params").
class Likelihood {
 public:
  virtual ~Likelihood() = default;
  virtual std::string name() const = 0;
  virtual int params_per_pixel() const = 0;
  // weight times the sum over all elements of -log p(x | z), nats, [1]. params [rows, params_per_pixel *
  // pixels].
  virtual Variable negative_log_likelihood(const Variable& params, const Variable& x,
                                           double weight) const = 0;
  // What is shown: E[x | z], [rows, pixels].
  virtual Variable mean(const Variable& params) const = 0;
};
// Pixels in [0, 1] as probabilities, from logits.
std::shared_ptr<const Likelihood> bernoulli_likelihood();
// A mean (through a sigmoid) and a clipped log variance for every pixel.
std::shared_ptr<const Likelihood> gaussian_likelihood(const GaussianOptions& options = {});

struct VaeOptions {
  std::int64_t pixels = 784;
  std::vector<std::int64_t> encoder_widths = {256};
  std::vector<std::int64_t> decoder_widths;  // empty: the encoder's, mirrored
  std::int64_t latent = 2;
  Activation activation = Activation::relu;
  PosteriorScale scale = PosteriorScale::log_variance;
  double noise_std = 1;
  std::shared_ptr<const Likelihood> likelihood = bernoulli_likelihood();
  Initializer initializer;
};

// The two terms of the negative ELBO, each already weighted; [1].
struct Elbo {
  Variable reconstruction, kl;
};

class Vae {
 public:
  Vae(const VaeOptions& options, Device device);
  Vae(const Vae&) = delete;  // an optimiser refers to its parameters
  Vae& operator=(const Vae&) = delete;

  // q(z | x): [rows, 2 latent], the mean, then the scale parameter. x [rows, pixels].
  Variable encode(const Variable& x) const { return posterior_(encoder_(x)); }
  Variable encode_mean(const Variable& x) const { return columns(encode(x), 0, options_.latent); }
  // Parameters of p(x | z), and its mean.
  Variable decode(const Variable& z) const { return output_(decoder_(z)); }
  Variable decode_mean(const Variable& z) const { return options_.likelihood->mean(decode(z)); }
  // mean of p(x | mean of q(z | x))
  Variable reconstruct(const Variable& x) const { return decode_mean(encode_mean(x)); }

  // Weights multiply sums over the batch: 1 / rows gives nats per image.
  Elbo negative_elbo(const Variable& x, const PosteriorOptions& noise, double reconstruction_weight,
                     double kl_weight) const;
  // options().scale and noise_std with the given noise.
  PosteriorOptions posterior_options(const Noise& noise, const Tensor& samples = {}) const;

  std::vector<Parameter> parameters();
  std::int64_t parameter_count();
  const VaeOptions& options() const { return options_; }
  Device device() const { return device_; }

 private:
  VaeOptions options_;
  Device device_;
  Mlp encoder_, decoder_;
  Linear posterior_, output_;
};

}  // namespace gpuvae
