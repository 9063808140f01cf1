// What the C++ interface computes for models with an exemplar prior, a condition or missing values. Its sizes
// are those of reference.h.
#pragma once

#include "tests/c/reference.h"

#ifdef __cplusplus
extern "C" {
#endif

// Each function below fills in the results that the model has.
struct ModelRun {
  double epoch_losses[6];  // of the second epoch: loss, reconstruction and KL in training and validation
  float codes[kRows * kLatent];
  float sampled_codes[kRows * kLatent];  // with seed 5
  float reconstructions[kRows * kFeatures];
  float imputed[kRows * kFeatures];
  float one_decoded[kRows * kFeatures];  // the codes, decoded with the condition of the first row
  // @{
  // Draws with seed 9, with the conditions of the first rows.
  float prior_codes[kDraws * kLatent];
  float prior_draws[kDraws * kFeatures];
  // @}
  // @{
  // Evaluation with seed 4 and kSamples importance samples.
  double scores[kRows * kScores];
  double log_likelihood[3];
  double elbo[3];
  // @}
};

// Trains a model of seed 3 with the prior exemplar on bytes, which are binarised dynamically.
void reference_exemplars(const unsigned char* x, struct ModelRun* run);
// Trains a conditional model of seed 3 with a cosine schedule; `condition` is [kRows, kGiven].
void reference_condition(const float* x, const double* condition, struct ModelRun* run);
// Trains a model of seed 3 on examples with missing values.
void reference_missing(const float* x, struct ModelRun* run);

#ifdef __cplusplus
}
#endif
