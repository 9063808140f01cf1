#include "tests/c/models_reference.h"

#include <algorithm>
#include <vector>

#include "gpuvae/evaluate.h"
#include "gpuvae/exemplar_prior.h"

namespace {

using namespace gpuvae;

constexpr double kRate = 2e-3;

void copy_values(const Tensor& from, float* to) { std::ranges::copy(from.to_vector(), to); }
void copy_losses(const Losses& from, double* to) {
  to[0] = from.loss;
  to[1] = from.reconstruction;
  to[2] = from.kl;
}

VaeOptions small_model() {
  VaeOptions options;
  options.features = kFeatures;
  options.latent = kLatent;
  options.encoder_widths = {8, 6};
  options.activation = Activation::tanh;
  options.initializer.seed = 3;
  return options;
}

void train_two_epochs(const Vae& model, const Dataset& examples, TrainOptions options, ModelRun& run) {
  Adam adam(model.parameters(), {.learning_rate = kRate});
  options.batch_size = kBatch;
  options.data.seed = 8;
  Trainer trainer(model, adam, examples, examples.slice(0, kValidationRows), options);
  const EpochResult last = trainer.run_epochs(2).back();
  copy_losses(last.train, run.epoch_losses);
  copy_losses(last.validation, run.epoch_losses + 3);
}

void copy_scores(const RowScores& scores, double* to) {
  for (std::size_t row = 0; row < scores.elbo.size(); ++row)
    for (const auto* column : {&scores.elbo, &scores.reconstruction, &scores.kl, &scores.log_likelihood,
                               &scores.effective_samples})
      *to++ = (*column)[row];
}

void infer_all(const Vae& model, const Dataset& examples, const Tensor& y, ModelRun& run) {
  const NoGradGuard no_grad;
  const Tensor codes = encode_all(model, examples, {});
  copy_values(codes, run.codes);
  copy_values(encode_all(model, examples, {.seed = 5}, true), run.sampled_codes);
  copy_values(model.decode_mean(codes, y).value(), run.reconstructions);
  if (y) copy_values(model.decode_mean(codes, y.slice(0, 1)).value(), run.one_decoded);
  const Vae::Generated draws = model.sample_prior(kDraws, 9, y ? y.slice(0, kDraws) : y);
  copy_values(draws.z, run.prior_codes);
  copy_values(draws.x, run.prior_draws);
  EvaluationOptions options;
  options.seed = 4;
  options.data.seed = 4;
  copy_scores(score_rows(model, examples, kSamples, options), run.scores);
  copy_losses(evaluate_elbo(model, examples, options), run.elbo);
  const ImportanceEstimate estimate = importance_weighted_nll(model, examples, kSamples, options);
  run.log_likelihood[0] = -estimate.nll;
  run.log_likelihood[1] = estimate.standard_error;
  run.log_likelihood[2] = estimate.effective_samples;
}

// Rows of x, numbers and the one-hot code of the class.
Tensor with_condition(const float* x, const double* condition) {
  std::vector<float> rows;
  for (int row = 0; row < kRows; ++row, x += kFeatures, condition += kGiven) {
    rows.insert(rows.end(), x, x + kFeatures);
    for (int i = 0; i < kNumbers; ++i) rows.push_back(static_cast<float>(condition[i]));
    for (int i = 0; i < kClasses; ++i) rows.push_back(condition[kNumbers] == i ? 1.0f : 0.0f);
  }
  return Tensor::from(rows, {kRows, kFeatures + kNumbers + kClasses});
}

}  // namespace

void reference_exemplars(const unsigned char* x, ModelRun* run) {
  const std::size_t count = std::size_t{kRows} * kFeatures;
  const Dataset examples{1, kFeatures, Tensor::from(std::span(x, count), Shape{kRows, kFeatures})};
  TrainOptions training;
  training.data = {.binarize = Binarize::dynamic, .seed = 8};
  VaeOptions options = small_model();
  options.prior = exemplar_prior(examples, {.per_step = kPerStep, .data = training.data});
  const Vae model(options, Device::cpu());
  train_two_epochs(model, examples, training, *run);
  infer_all(model, examples, {}, *run);
}

void reference_condition(const float* x, const double* condition, ModelRun* run) {
  VaeOptions options = small_model();
  options.conditions = kNumbers + kClasses;
  options.likelihood = gaussian_likelihood({.sigmoid_mean = false});
  const Vae model(options, Device::cpu());
  const Dataset examples{1, kFeatures, with_condition(x, condition)};
  const std::uint64_t steps = (kRows + kBatch - 1) / kBatch;
  TrainOptions training;
  training.schedule = CosineSchedule{.total_steps = 2 * steps, .warmup_steps = steps, .final_factor = 0.25};
  train_two_epochs(model, examples, training, *run);
  const NoGradGuard no_grad;
  infer_all(model, examples, model.condition_of(examples.examples), *run);
}

void reference_missing(const float* x, ModelRun* run) {
  VaeOptions options = small_model();
  options.likelihood = gaussian_likelihood({.sigmoid_mean = false});
  options.missing_values = true;
  const Vae model(options, Device::cpu());
  const std::size_t count = std::size_t{kRows} * kFeatures;
  const Dataset examples{1, kFeatures, Tensor::from(std::span(x, count), Shape{kRows, kFeatures})};
  train_two_epochs(model, examples, {}, *run);
  infer_all(model, examples, {}, *run);
  copy_values(model.impute(examples.examples), run->imputed);
}
