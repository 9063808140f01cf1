#include "apps/cli/run_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace gpuvae::apps {
namespace {

std::shared_ptr<Likelihood> likelihood_of(const RunConfig& c) {
  GaussianOptions gaussian{c.gaussian_mean == "sigmoid", c.log_variance_low, c.log_variance_high};
  if (c.likelihood == "gaussian") return gaussian_likelihood(gaussian);
  if (c.likelihood == "gaussian-shared") return shared_gaussian_likelihood(gaussian);
  if (c.likelihood == "gaussian-fixed") return fixed_gaussian_likelihood(c.sigma, gaussian.sigmoid_mean);
  if (c.likelihood == "continuous-bernoulli") return continuous_bernoulli_likelihood();
  return bernoulli_likelihood();
}

std::shared_ptr<Prior> prior_of(const RunConfig& c) {
  if (c.prior == "mixture") return gaussian_mixture_prior(c.prior_components);
  if (c.prior == "vamp") return vamp_prior(c.prior_components, c.gaussian_mean == "sigmoid");
  return standard_normal_prior();
}

}  // namespace

VaeOptions RunConfig::model(std::int64_t features) const {
  VaeOptions o;
  o.features = features;
  o.encoder_widths = hidden;
  o.decoder_widths = decoder_hidden;
  o.latent = latent;
  o.activation = activation;
  o.precision = precision;
  o.posterior = diagonal_gaussian({posterior_scale, noise_std});
  o.likelihood = likelihood_of(*this);
  o.prior = prior_of(*this);
  o.initializer = {init, init_std, bias_std, seed, init_generator};
  return o;
}

TrainOptions RunConfig::training() const {
  TrainOptions o;
  o.batch_size = batch_size;
  o.drop_last = drop_last;
  o.data = {!no_shuffle, binarize, threshold, seed};
  o.frozen_noise = frozen_noise;
  o.beta = beta;
  o.warmup_epochs = warmup_epochs;
  o.free_bits = free_bits;
  o.pixel_mean = pixel_mean;
  o.batch_sum = batch_sum;
  o.executor = executor;
  if (log_every > 0) o.report_steps = log_every, o.report_seconds = 0;  // every row of steps.csv
  return o;
}

LearningRateSchedule RunConfig::learning_rate_schedule(std::int64_t steps_per_epoch) const {
  const auto steps = [=](double epochs) {
    return static_cast<std::uint64_t>(std::llround(epochs * static_cast<double>(steps_per_epoch)));
  };
  const LinearWarmup warmup{steps(lr_warmup)};
  if (schedule == "cosine") {
    const std::uint64_t total = std::max(steps(epochs), warmup.steps + 1);
    return CosineSchedule{.total_steps = total, .warmup_steps = warmup.steps};
  }
  if (schedule == "step") {
    const StepDecay decay{.every = std::max<std::uint64_t>(1, steps(lr_decay_epochs)),
                          .decay = lr_decay_rate};
    return [=](std::uint64_t step) { return warmup(step) * decay(step); };
  }
  if (warmup.steps > 0) return warmup;
  return {};
}

namespace {

// What decides the weights, as TOML.
std::string essence(RunConfig c) {
  const RunConfig plain;
  c.preset = plain.preset, c.out = plain.out, c.log_every = plain.log_every;
  c.device = plain.device, c.executor = plain.executor, c.data_dir = plain.data_dir;
  c.encode = plain.encode, c.manifold = plain.manifold, c.samples = plain.samples;
  c.reconstructions = plain.reconstructions, c.examples = plain.examples;
  c.latent_names = plain.latent_names, c.sliders = plain.sliders;
  return to_toml(c, "");
}

}  // namespace

bool same_training(RunConfig a, RunConfig b) {
  if (a.schedule != "cosine") a.epochs = b.epochs;
  return essence(a) == essence(b);
}

std::pair<std::string, std::string> first_difference(const RunConfig& a, const RunConfig& b) {
  if (a.preset != b.preset)
    return {fmt::format("preset=\"{}\"", a.preset), fmt::format("preset=\"{}\"", b.preset)};
  std::istringstream left(essence(a)), right(essence(b));
  for (std::string l, r; std::getline(left, l) && std::getline(right, r);)
    if (l != r) return {l, r};
  return {};
}

}  // namespace gpuvae::apps
