#include "gpuvae/vae.h"

#include "kernels/check.h"

namespace gpuvae {
namespace {

VaeOptions checked(VaeOptions o) {
  check(o.features > 0 && o.latent > 0, "vae", "expected features and latent of 1 or more, got {} and {}",
        o.features, o.latent);
  check(o.posterior && o.likelihood && o.prior, "vae", "expected a posterior, a likelihood and a prior");
  if (o.decoder_widths.empty()) o.decoder_widths.assign(o.encoder_widths.rbegin(), o.encoder_widths.rend());
  if (std::shared_ptr<Likelihood> own = o.likelihood->another()) o.likelihood = std::move(own);
  if (std::shared_ptr<Prior> own = o.prior->another()) o.prior = std::move(own);
  return o;
}

}  // namespace

Vae::Vae(const VaeOptions& options, Device device) : options_(checked(options)), device_(device) {
  const VaeOptions& o = options_;
  encoder_ = Mlp("encoder", o.features, o.encoder_widths, o.activation, o.initializer, device, o.precision);
  // The parts of a head (mean, scale) are initialised as layers side by side.
  const int heads = o.posterior->params_per_dimension(), per_feature = o.likelihood->params_per_feature();
  posterior_ = Linear("posterior", encoder_.outputs(), heads * o.latent, Activation::identity, o.initializer,
                      device, heads, o.precision);
  decoder_ = Mlp("decoder", o.latent, o.decoder_widths, o.activation, o.initializer, device, o.precision);
  output_ = Linear("output", decoder_.outputs(), per_feature * o.features, Activation::identity,
                   o.initializer, device, per_feature, o.precision);
  const ModelContext context{o.features,
                             o.latent,
                             o.initializer,
                             device,
                             o.posterior->has_log_variances(),
                             [this](const Variable& x) { return encode(x); }};
  o.likelihood->initialize(context);
  o.prior->initialize(context);
}

Elbo Vae::negative_elbo(const Variable& x, const Draw& draw, const ElboWeights& weights) const {
  const VaeOptions& o = options_;
  const Variable posterior_params = encode(x);
  const PosteriorSample sample = o.posterior->rsample_with_kl(posterior_params, draw, *o.prior, weights.kl);
  const Variable params = decode(sample.z);
  Elbo elbo{o.likelihood->negative_log_likelihood(params, x, weights.reconstruction), sample.kl, sample.kl};
  if (weights.free_bits > 0) elbo.regularizer = free_bits_kl(posterior_params, weights);
  return elbo;
}

Variable Vae::free_bits_kl(const Variable& posterior_params, const ElboWeights& weights) const {
  const Variable kl = options_.prior->is_standard_normal()
                          ? options_.posterior->kl_to_standard_normal(posterior_params)
                          : Variable();
  check(static_cast<bool>(kl), "vae",
        "free bits want a KL divergence a dimension, which {} and {} do not have", options_.posterior->name(),
        options_.prior->name());
  const double rows = static_cast<double>(posterior_params.shape()[0]);
  const Variable floored = clamp(sum(kl, Axis::rows) / rows, weights.free_bits, 1e30);
  return weights.kl * rows * sum(floored);
}

Vae::Generated Vae::sample_prior(std::int64_t rows, std::uint64_t seed) const {
  const NoGradGuard no_grad;
  const Noise z_noise{.seed = seed, .purpose = RandomPurpose::prior};
  const Noise x_noise{.seed = seed, .purpose = RandomPurpose::likelihood};
  const Tensor z = options_.prior->sample(rows, options_.latent, z_noise, device_);
  const Variable params = decode(z);
  return {z, options_.likelihood->mean(params).value(), options_.likelihood->sample(params, x_noise)};
}

Tensor Vae::posterior_predictive(const Variable& x, std::uint64_t seed) const {
  const NoGradGuard no_grad;
  Draw draw;
  draw.noise = {.seed = seed, .purpose = RandomPurpose::validation_noise};
  const Noise x_noise{.seed = ~seed, .purpose = RandomPurpose::likelihood};
  return options_.likelihood->sample(decode(encode_sample(x, draw)), x_noise);
}

std::vector<Parameter> Vae::parameters() {
  std::vector<Parameter> all;
  encoder_.collect(all);
  posterior_.collect(all);
  decoder_.collect(all);
  output_.collect(all);
  options_.likelihood->collect(all);
  options_.prior->collect(all);
  return all;
}

std::int64_t Vae::parameter_count() {
  std::int64_t n = 0;
  for (const Parameter& p : parameters()) n += p.variable->shape().elements();
  return n;
}

}  // namespace gpuvae
