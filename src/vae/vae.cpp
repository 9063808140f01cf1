#include "gpuvae/vae.h"

#include <algorithm>

#include "kernels/check.h"
#include "src/autograd/node.h"

namespace gpuvae {
namespace {

VaeOptions checked(VaeOptions o) {
  check(o.features > 0 && o.latent > 0, "vae", "expected features and latent of 1 or more, got {} and {}",
        o.features, o.latent);
  check(o.conditions >= 0, "vae", "expected 0 or more conditions, got {}", o.conditions);
  check(o.posterior && o.likelihood && o.prior, "vae", "expected a posterior, a likelihood and a prior");
  check(!o.missing_values || o.likelihood->supports_missing_values(), "vae",
        "expected a likelihood that supports missing values, got {}", o.likelihood->name());
  if (o.decoder_widths.empty()) o.decoder_widths.assign(o.encoder_widths.rbegin(), o.encoder_widths.rend());
  return o;
}

// Returns a part of a model. Throws Error if the model was moved from.
template <class T>
const T& present(const std::shared_ptr<const T>& part) {
  check(part != nullptr, "vae", "expected a model, got one that was moved from");
  return *part;
}

std::vector<Parameter> parameters_of(const Distribution& distribution) {
  std::vector<Parameter> all;
  distribution.collect(all);
  return all;
}

// Returns the distribution that a model uses: an initialised clone of the one in its options, or that object
// itself if it has no clone().
template <class T>
std::shared_ptr<const T> owned(const std::shared_ptr<const T>& described, const ModelContext& context) {
  const std::vector<Parameter> shared = parameters_of(*described);
  const std::shared_ptr<T> own = described->clone();
  check(own || shared.empty(), "vae", "expected {}, which has parameters, to override clone()",
        described->name());
  if (!own) return described;
  own->initialize(context);
  for (const Parameter& p : parameters_of(*own))
    check(std::none_of(shared.begin(), shared.end(),
                       [&](const Parameter& s) { return GraphAccess::same_leaf(s.variable, p.variable); }),
          "vae", "expected initialize() of {} to create a new {}, got the one that the options hold",
          described->name(), p.name);
  return own;
}

// Returns the examples x in the form in which they enter the encoder: with missing values filled and counts
// transformed, as the options say.
Variable encoder_input_of(const VaeOptions& o, const Likelihood& likelihood, const Variable& x) {
  const Variable filled = o.missing_values ? fill_missing(x) : x;
  if (!o.log1p_counts) return filled;
  if (o.conditions == 0) return likelihood.encoder_input(filled);
  return concat(
      {likelihood.encoder_input(columns(filled, 0, o.features)), columns(filled, o.features, o.conditions)},
      Axis::columns);
}

}  // namespace

Vae::Vae(const VaeOptions& options, Device device) : options_(checked(options)), device_(device) {
  const VaeOptions& o = options_;
  encoder_ = Mlp("encoder", example_columns(o), o.encoder_widths, o.activation, o.initializer, device,
                 o.precision, o.gated);
  // The parts of a head, such as means and scales, are initialised like separate layers.
  const int per_feature = o.likelihood->params_per_feature();
  head_ = Linear("posterior", encoder_.outputs(), o.posterior->head_sizes(o.latent), o.initializer, device,
                 o.precision);
  decoder_ = Mlp("decoder", o.latent + o.conditions, o.decoder_widths, o.activation, o.initializer, device,
                 o.precision, o.gated);
  output_ = Linear("output", decoder_.outputs(), o.likelihood->outputs(o.features), Activation::identity,
                   o.initializer, device, per_feature, o.precision);
  ModelContext context{example_columns(o),
                       o.latent,
                       o.initializer,
                       device,
                       o.posterior->has_log_variances(),
                       [encoder = encoder_, head = head_](const Variable& x) { return head(encoder(x)); },
                       {}};
  // A likelihood models the features only, without the columns of a condition.
  ModelContext of_likelihood = context;
  of_likelihood.features = o.features;
  likelihood_ = owned(o.likelihood, of_likelihood);
  posterior_ = owned(o.posterior, context);
  context.encode_mean = [encode = context.encode, posterior = posterior_, likelihood = likelihood_,
                         options = options_](const Variable& x) {
    return posterior->mean(encode(encoder_input_of(options, *likelihood, x)));
  };
  prior_ = owned(o.prior, context);
}

Variable Vae::encoder_input(const Variable& x) const { return encoder_input_of(options_, likelihood(), x); }

Vae Vae::for_evaluation() const {
  Vae model = *this;
  if (const std::shared_ptr<const Prior> frozen = prior().frozen()) model.prior_ = frozen;
  return model;
}

Tensor Vae::impute(const Variable& x) const {
  const NoGradGuard no_grad;
  const Variable features = features_of(x);
  return (fill_missing(features) + reconstruct(x) * (1 - is_observed(features))).value();
}

Elbo Vae::negative_elbo(const Variable& x, const Draw& draw, const ElboWeights& weights) const {
  check(weights.free_bits >= 0, "negative_elbo", "expected free bits of 0 or more, got {}",
        weights.free_bits);
  const Variable posterior_params = encode(x);
  const PosteriorSample sample = posterior().rsample_with_kl(posterior_params, draw, prior(), weights.kl);
  const Variable params = decode(sample.z, condition_of(x));
  Elbo elbo{likelihood().negative_log_likelihood(params, features_of(x), weights.reconstruction), sample.kl,
            sample.kl};
  if (weights.free_bits > 0) elbo.regularizer = free_bits_kl(posterior_params, weights);
  return elbo;
}

Variable Vae::free_bits_kl(const Variable& posterior_params, const ElboWeights& weights) const {
  const Variable kl = closed_kl(posterior_params);
  check(static_cast<bool>(kl), "vae",
        "expected a posterior and a prior with a closed-form KL divergence for free bits, got {} and {}",
        posterior().name(), prior().name());
  const double rows = static_cast<double>(posterior_params.shape()[0]);
  const Variable floored = clamp(sum(kl, Axis::rows) / rows, weights.free_bits, 1e30);
  return weights.kl * rows * sum(floored);
}

Variable Vae::decoder_input(const Variable& z, const Tensor& y) const {
  const std::int64_t conditions = options_.conditions;
  check(conditions > 0 || !y, "decode", "expected no condition for a model without one, got {}", y);
  if (conditions == 0) return z;
  check(y && y.shape().rank() == 2 && y.shape()[1] == conditions && y.shape()[0] > 0 && z &&
            z.shape()[0] % y.shape()[0] == 0,
        "decode", "expected a condition of [rows, {}], whose rows divide those of z, got {}", conditions, y);
  const std::int64_t repeats = z.shape()[0] / y.shape()[0];
  const Variable condition = repeats == 1 ? y : repeat_rows(y, repeats);
  return concat({z, condition}, Axis::columns);
}

Variable Vae::decode(const Variable& z, const Tensor& y) const {
  return output_(decoder_(decoder_input(z, y)));
}

Tensor Vae::condition_of(const Variable& x) const {
  if (options_.conditions == 0) return {};
  const NoGradGuard no_grad;
  return columns(x, options_.features, options_.conditions).value();
}

Vae::Generated Vae::sample_prior(std::int64_t rows, std::uint64_t seed, const Tensor& y) const {
  const NoGradGuard no_grad;
  const Noise z_noise{.seed = seed, .purpose = RandomPurpose::prior};
  const Noise x_noise{.seed = seed, .purpose = RandomPurpose::likelihood};
  const Tensor z = prior().sample(rows, options_.latent, z_noise, device_);
  const Variable params = decode(z, y);
  return {z, likelihood().mean(params).value(), likelihood().sample(params, x_noise)};
}

Tensor Vae::posterior_predictive(const Variable& x, std::uint64_t seed) const {
  const NoGradGuard no_grad;
  Draw draw;
  draw.noise = {.seed = seed, .purpose = RandomPurpose::validation_noise};
  const Noise x_noise{.seed = ~seed, .purpose = RandomPurpose::likelihood};
  return likelihood().sample(decode(encode_sample(x, draw), condition_of(x)), x_noise);
}

const Posterior& Vae::posterior() const { return present(posterior_); }
const Likelihood& Vae::likelihood() const { return present(likelihood_); }
const Prior& Vae::prior() const { return present(prior_); }

std::vector<Parameter> Vae::parameters() const {
  std::vector<Parameter> all;
  encoder_.collect(all);
  head_.collect(all);
  decoder_.collect(all);
  output_.collect(all);
  likelihood().collect(all);
  prior().collect(all);
  posterior().collect(all);
  return all;
}

std::int64_t Vae::parameter_count() const {
  std::int64_t n = 0;
  for (const Parameter& p : parameters()) n += p.variable.shape().elements();
  return n;
}

}  // namespace gpuvae
