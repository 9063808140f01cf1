#include "tests/c/reference.h"

#include <algorithm>
#include <string_view>

#include "gpuvae/evaluate.h"

namespace {

using namespace gpuvae;

std::shared_ptr<const Likelihood> likelihood_of(std::string_view name) {
  if (name == "gaussian") return gaussian_likelihood({.sigmoid_mean = false});
  return bernoulli_likelihood();
}

Dataset dataset_of(const ReferenceRun& run) {
  const Shape shape{kRows, kFeatures};
  const std::size_t count = std::size_t{kRows} * kFeatures;
  return {1, kFeatures,
          run.bytes ? Tensor::from(std::span(run.bytes, count), shape)
                    : Tensor::from(std::span(run.floats, count), shape)};
}

void copy(const Tensor& from, float* to) { std::ranges::copy(from.to_vector(), to); }
void copy(const Losses& from, double* to) {
  to[0] = from.loss;
  to[1] = from.reconstruction;
  to[2] = from.kl;
}

void train(const Vae& model, const Dataset& examples, ReferenceRun& run) {
  Adam adam(model.parameters(), {.learning_rate = 2e-3});
  TrainOptions options;
  options.batch_size = kBatch;
  options.data.seed = 8;
  Trainer trainer(model, adam, examples, examples.slice(0, kValidationRows), options);
  const EpochResult last = trainer.run_epochs(2).back();
  copy(last.train, run.epoch_losses);
  copy(last.validation, run.epoch_losses + 3);
  copy(trainer.run_steps(3).losses, run.step_losses);
}

void infer(const Vae& model, const Dataset& examples, ReferenceRun& run) {
  const NoGradGuard no_grad;
  const Tensor codes = encode_all(model, examples, {});
  copy(codes, run.codes);
  copy(encode_all(model, examples, {.seed = 5}, true), run.sampled_codes);
  copy(model.decode_mean(codes).value(), run.reconstructions);
  const Vae::Generated draws = model.sample_prior(kDraws, 9);
  copy(draws.z, run.prior_codes);
  copy(draws.mean, run.prior_means);
  copy(draws.x, run.prior_draws);
  EvaluationOptions options;
  options.seed = 4;
  options.data.seed = 4;
  copy(evaluate_elbo(model, examples, options), run.elbo);
  const ImportanceEstimate estimate = importance_weighted_nll(model, examples, kSamples, options);
  run.log_likelihood[0] = -estimate.nll;
  run.log_likelihood[1] = estimate.standard_error;
  run.log_likelihood[2] = estimate.effective_samples;
}

}  // namespace

void reference_run(ReferenceRun* run) {
  VaeOptions options;
  options.features = kFeatures;
  options.latent = kLatent;
  options.encoder_widths = {8, 6};
  options.activation = Activation::tanh;
  options.likelihood = likelihood_of(run->likelihood);
  options.initializer.seed = 3;
  const Vae model(options, Device::cpu());
  const Dataset examples = dataset_of(*run);
  train(model, examples, *run);
  infer(model, examples, *run);
}
