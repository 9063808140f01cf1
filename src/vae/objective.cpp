#include "gpuvae/objective.h"

#include <vector>

#include "gpuvae/types.h"
#include "gpuvae/vae.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"

namespace gpuvae {
namespace {

EncoderGradient gradient_of(ObjectiveKind kind) {
  switch (kind) {
    case ObjectiveKind::stl:
    case ObjectiveKind::iwae_stl:
      return EncoderGradient::path;
    case ObjectiveKind::dreg:
      return EncoderGradient::doubly_reparameterized;
    default:
      return EncoderGradient::total;
  }
}

ImportanceOptions importance_options(const Objective& o, const ObjectiveWeights& weights) {
  ImportanceOptions options;
  options.samples = o.samples;
  options.groups = o.groups;
  options.elbo_share = !o.is_importance_weighted() ? 1 : o.kind == ObjectiveKind::ciwae ? o.mix : 0;
  options.weight = weights.scale;
  options.kl_weight = weights.kl;
  options.device_kl_weight = weights.device_kl;
  return options;
}

// Returns the layers with their values as constants.
Linear constant_layer(const Linear& layer) {
  Linear constant = layer;
  constant.weight = layer.weight.detach();
  if (layer.bias) constant.bias = layer.bias.detach();
  return constant;
}

}  // namespace

void check_objective(const char* operation, const Objective& o) {
  check_enumerator(operation, "kind of objective", o.kind);
  check(o.samples > 0 && o.groups > 0, operation, "expected 1 or more samples and groups, got {} and {}",
        o.samples, o.groups);
  check(o.samples <= kMaxDraws / o.groups, operation,
        "expected at most {} draws per example, got {} times {}", kMaxDraws, o.groups, o.samples);
  const bool grouped = o.kind == ObjectiveKind::miwae || o.kind == ObjectiveKind::piwae;
  check(grouped || o.groups == 1, operation, "expected 1 group of draws for the objective {}, got {}",
        name(o.kind), o.groups);
  check(o.mix >= 0 && o.mix <= 1, operation, "expected a share of the ELBO (mix) in [0, 1], got {}", o.mix);
}

std::string objective_text(const Objective& o) {
  const bool grouped = o.kind == ObjectiveKind::miwae || o.kind == ObjectiveKind::piwae;
  std::string text{name(o.kind)};
  if (o.kind == ObjectiveKind::elbo && o.sampled_kl) text += " with sampled KL";
  if (grouped)
    text += fmt::format(", {} groups of {} draws", o.groups, o.samples);
  else
    text += fmt::format(", {} draw{}", o.samples, o.samples == 1 ? "" : "s");
  if (o.kind == ObjectiveKind::ciwae) text += fmt::format(", {} of the ELBO", o.mix);
  return text;
}

// Returns the KL divergence per row and dimension, or an undefined variable if it has no closed form.
Variable Vae::closed_kl(const Variable& posterior_params) const {
  return prior().is_standard_normal() ? posterior().kl_to_standard_normal(posterior_params) : Variable();
}

Variable Vae::row_log_likelihood(const Variable& params, const Variable& x, std::int64_t draws) const {
  const bool repeat = draws > 1 && !likelihood().repeats_targets();
  const Variable features = features_of(x);
  return likelihood().log_density(params, repeat ? repeat_rows(features, draws) : features);
}

Variable Vae::decode_by_constants(const Variable& z, const Tensor& y) const {
  Mlp decoder = decoder_;
  for (Linear& layer : decoder.layers) layer = constant_layer(layer);
  return constant_layer(output_)(decoder(decoder_input(z, y)));
}

// Returns minus the importance-weighted bound of all draws as a function of the decoder alone.
Variable Vae::decoder_loss(const Variable& x, const PosteriorDraws& draws,
                           const ImportanceOptions& options) const {
  const std::int64_t per_row = options.samples * options.groups;
  ImportanceOptions all = options;
  all.samples = per_row;
  all.groups = 1;
  const Variable log_likelihood = row_log_likelihood(decode(draws.z.detach(), condition_of(x)), x, per_row);
  return importance_weighted_loss(log_likelihood, draws.log_ratio.detach(), all).loss;
}

void Vae::check_fixed_distributions() const {
  std::vector<Parameter> learned;
  likelihood().collect(learned);
  prior().collect(learned);
  check(learned.empty(), "negative_objective",
        "expected a likelihood and a prior without learned parameters for the objective piwae, got {} and {}",
        likelihood().name(), prior().name());
}

ObjectiveLoss Vae::negative_objective(const Variable& x, const Draw& draw, const Objective& objective,
                                      const ObjectiveWeights& weights) const {
  check_objective("negative_objective", objective);
  const bool apart = objective.kind == ObjectiveKind::piwae;
  if (apart) check_fixed_distributions();
  const Variable posterior_params = encode(x);
  const PosteriorDraws draws = posterior().rsample_draws(
      posterior_params, draw, prior(), {objective.draws(), options_.latent, gradient_of(objective.kind)});
  const Tensor y = condition_of(x);
  const Variable params = apart ? decode_by_constants(draws.z, y) : decode(draws.z, y);
  const Variable log_likelihood = row_log_likelihood(params, x, objective.draws());
  const ImportanceOptions options = importance_options(objective, weights);

  const Variable kl = objective.kind == ObjectiveKind::elbo && !objective.sampled_kl
                          ? closed_kl(posterior_params)
                          : Variable();
  if (kl) {
    const ImportanceLoss sampled = importance_weighted_loss(log_likelihood, {}, options);
    const Variable divergence = weights.scale * sum(kl);
    Variable weighted = weights.kl * divergence;
    if (weights.device_kl) weighted = weighted * weights.device_kl;
    return {sampled.loss + weighted, sampled.reconstruction, divergence.detach()};
  }
  ImportanceLoss result = importance_weighted_loss(log_likelihood, draws.log_ratio, options);
  if (apart) {
    // The value is that of the decoder's bound; the encoder gets the gradient of the MIWAE bound.
    const Variable of_encoder = result.loss - result.loss.detach();
    result.loss = decoder_loss(x, draws, options) + of_encoder;
  }
  return {result.loss, result.reconstruction, result.kl};
}

}  // namespace gpuvae
