// What the C++ interface computes for the C tests. The struct has no pointer to C++ objects, so that C can
// read it.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum {
  kRows = 96,
  kValidationRows = 20,
  kFeatures = 12,
  kLatent = 3,
  kBatch = 10,
  kDraws = 7,
  kSamples = 5,
  // The condition of an example: two numbers and one of three classes.
  kNumbers = 2,
  kClasses = 3,
  kGiven = kNumbers + 1,
  kPerStep = 40,  // exemplars of a step
  kScores = 5
};

// The inputs of a run, and what it yields.
struct ReferenceRun {
  // @{
  // Inputs: the name of a likelihood, and the examples as bytes or, if these are null, as floats.
  const char* likelihood;
  const unsigned char* bytes;
  const float* floats;
  // @}
  double epoch_losses[6];  // of the second epoch: loss, reconstruction and KL in training and validation
  double step_losses[3];   // of three more steps
  float codes[kRows * kLatent];
  float sampled_codes[kRows * kLatent];  // with seed 5
  float reconstructions[kRows * kFeatures];
  // @{
  // Draws with seed 9.
  float prior_codes[kDraws * kLatent];
  float prior_means[kDraws * kFeatures];
  float prior_draws[kDraws * kFeatures];
  // @}
  double elbo[3];            // with seed 4: loss, reconstruction, KL
  double log_likelihood[3];  // with seed 4: the bound, its standard error, effective samples
};
// Trains a model of seed 3 with the trainer's seed 8 and fills in the results.
void reference_run(struct ReferenceRun* run);

#ifdef __cplusplus
}
#endif
