#include "gpuvae/vae.h"

#include "kernels/check.h"

namespace gpuvae {
namespace {

VaeOptions checked(VaeOptions o) {
  check(o.pixels > 0 && o.latent > 0, "vae", "expected pixels and latent of 1 or more, got {} and {}",
        o.pixels, o.latent);
  check(o.likelihood != nullptr, "vae", "expected a likelihood, got none");
  if (o.decoder_widths.empty()) o.decoder_widths.assign(o.encoder_widths.rbegin(), o.encoder_widths.rend());
  return o;
}

}  // namespace

Vae::Vae(const VaeOptions& options, Device device) : options_(checked(options)), device_(device) {
  const VaeOptions& o = options_;
  encoder_ = Mlp("encoder", o.pixels, o.encoder_widths, o.activation, o.initializer, device);
  // Mean and scale are initialised as two layers side by side.
  posterior_ =
      Linear("posterior", encoder_.outputs(), 2 * o.latent, Activation::identity, o.initializer, device, 2);
  decoder_ = Mlp("decoder", o.latent, o.decoder_widths, o.activation, o.initializer, device);
  const int per_pixel = o.likelihood->params_per_pixel();
  output_ = Linear("output", decoder_.outputs(), per_pixel * o.pixels, Activation::identity, o.initializer,
                   device, per_pixel);
}

PosteriorOptions Vae::posterior_options(const Noise& noise, const Tensor& samples) const {
  return {options_.scale, options_.noise_std, noise, {}, samples};
}

Elbo Vae::negative_elbo(const Variable& x, const PosteriorOptions& noise, double reconstruction_weight,
                        double kl_weight) const {
  const PosteriorSample sample = sample_posterior_with_kl(encode(x), noise, kl_weight);
  return {options_.likelihood->negative_log_likelihood(decode(sample.z), x, reconstruction_weight),
          sample.kl};
}

std::vector<Parameter> Vae::parameters() {
  std::vector<Parameter> all;
  encoder_.collect(all);
  posterior_.collect(all);
  decoder_.collect(all);
  output_.collect(all);
  return all;
}

std::int64_t Vae::parameter_count() {
  std::int64_t n = 0;
  for (const Parameter& p : parameters()) n += p.variable->shape().elements();
  return n;
}

}  // namespace gpuvae
