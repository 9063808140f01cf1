// Evaluation of examples with models of the C interface.
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "src/c/records.h"
#include "src/c/status.h"
#include "src/c/structs.h"

namespace gpuvae::c {
namespace {

// Values far outside the training data can have a density that f32 cannot hold.
void require_finite(double nats, const char* operation) {
  check(std::isfinite(nats), Origin(operation, ErrorKind::not_finite),
        "expected examples with a finite likelihood, got {} nats: compare their values with those of the "
        "training data",
        nats);
}

// The examples of a call, with their condition, and the other settings of their evaluation.
struct Evaluated {
  std::shared_ptr<ModelRecord> model;
  EvaluationSettings settings;
  Dataset examples;
};

Evaluated evaluated(const gpuvae_model* model, const gpuvae_array* x, const gpuvae_evaluate_options* options,
                    const char* operation) {
  Evaluated call{model_of(model, operation), evaluation_settings(options, operation), {}};
  call.examples = examples_on_device(x, call.settings.condition, *call.model,
                                     call.settings.evaluation.data.binarize, operation);
  return call;
}

void score_to(const gpuvae_array& scores, const Evaluated& call, const char* operation) {
  const bool importance = scores.columns == GPUVAE_SCORE_COLUMNS;
  check(!importance || call.settings.samples >= 1, operation, "expected 1 or more samples, got {}",
        call.settings.samples);
  const RowScores of_rows = score_rows(call.model->vae, call.examples, importance ? call.settings.samples : 0,
                                       call.settings.evaluation);
  // In the order of the enumerators GPUVAE_SCORE_...
  const std::array<const std::vector<double>*, GPUVAE_SCORE_COLUMNS> all = {
      &of_rows.elbo, &of_rows.reconstruction, &of_rows.kl, &of_rows.log_likelihood,
      &of_rows.effective_samples};
  std::vector<double> values;
  for (std::size_t row = 0; row < of_rows.elbo.size(); ++row)
    for (std::size_t column = 0; column < static_cast<std::size_t>(scores.columns); ++column)
      values.push_back((*all[column])[row]);
  write_rows(scores, 0, std::span<const double>(values));
}

}  // namespace
}  // namespace gpuvae::c

using namespace gpuvae::c;

extern "C" {

gpuvae_status gpuvae_evaluate_options_init(gpuvae_evaluate_options* options, size_t struct_size) {
  constexpr const char* kName = "gpuvae_evaluate_options_init";
  return guarded(kName, [&] { init_struct(options, struct_size, default_evaluate_options(), kName); });
}

gpuvae_status gpuvae_log_likelihood(const gpuvae_model* model, const gpuvae_array* x,
                                    const gpuvae_evaluate_options* options, gpuvae_likelihood* result) {
  constexpr const char* kName = "gpuvae_log_likelihood";
  return guarded(kName, [&] {
    check_result(result, kName);
    const Evaluated call = evaluated(model, x, options, kName);
    const gpuvae::ImportanceEstimate estimate = gpuvae::importance_weighted_nll(
        call.model->vae, call.examples, call.settings.samples, call.settings.evaluation);
    require_finite(estimate.nll, kName);
    *result = {-estimate.nll, estimate.standard_error, estimate.effective_samples};
  });
}

gpuvae_status gpuvae_evaluate_elbo(const gpuvae_model* model, const gpuvae_array* x,
                                   const gpuvae_evaluate_options* options, gpuvae_losses* losses) {
  constexpr const char* kName = "gpuvae_evaluate_elbo";
  return guarded(kName, [&] {
    check_result(losses, kName);
    const Evaluated call = evaluated(model, x, options, kName);
    const gpuvae::Losses of_model =
        gpuvae::evaluate_elbo(call.model->vae, call.examples, call.settings.evaluation);
    require_finite(of_model.loss, kName);
    *losses = {of_model.loss, of_model.reconstruction, of_model.kl};
  });
}

gpuvae_status gpuvae_score_rows(const gpuvae_model* model, const gpuvae_array* x,
                                const gpuvae_evaluate_options* options, const gpuvae_array* scores) {
  constexpr const char* kName = "gpuvae_score_rows";
  return guarded(kName, [&] {
    const Evaluated call = evaluated(model, x, options, kName);
    const bool few = scores && scores->columns == GPUVAE_SCORE_LOG_LIKELIHOOD;
    check_output(scores, call.examples.count(), few ? GPUVAE_SCORE_LOG_LIKELIHOOD : GPUVAE_SCORE_COLUMNS,
                 "scores", kName);
    score_to(*scores, call, kName);
  });
}

}  // extern "C"
