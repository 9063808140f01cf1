/* Compares models of the C interface with what models_reference.cpp computes in C++. */
#ifndef GPUVAE_TESTS_C_MODEL_CHECKS_H_
#define GPUVAE_TESTS_C_MODEL_CHECKS_H_

#include "tests/c/examples.h"
#include "tests/c/models_reference.h"

static double conditions[kRows * kGiven];

static inline void make_conditions(void) {
  for (int row = 0; row < kRows; ++row) {
    conditions[row * kGiven] = cos(0.2 * row);
    conditions[row * kGiven + 1] = row % 5;
    conditions[row * kGiven + 2] = row % kClasses;
  }
}

static inline gpuvae_array given_rows(void) { return array_of(conditions, GPUVAE_F64, kRows, kGiven); }

/* Trains for two epochs, with the first rows as validation examples. */
static inline void train(gpuvae_model* model, gpuvae_array x, gpuvae_train_options options,
                         const struct ModelRun* run) {
  gpuvae_trainer* trainer = NULL;
  gpuvae_epoch_result last;
  gpuvae_array validation = x, validation_condition = given_rows();
  validation.rows = kValidationRows;
  validation_condition.rows = kValidationRows;
  if (options.condition) options.validation_condition = &validation_condition;
  last.struct_size = sizeof last;
  EXPECT_OK(gpuvae_trainer_create(model, &x, &validation, &options, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 2, &last));
  EXPECT(last.train.loss == run->epoch_losses[0] && last.train.kl == run->epoch_losses[2]);
  EXPECT(last.validation.loss == run->epoch_losses[3] && last.validation.kl == run->epoch_losses[5]);
  EXPECT(fabs(last.validation.loss) > 0);
  EXPECT_OK(gpuvae_trainer_free(trainer));
}

/* Compares what needs no prior. A condition of NULL stands for a model without one. */
static inline void check_codes(const gpuvae_model* model, gpuvae_array x, const gpuvae_array* condition,
                               const struct ModelRun* run) {
  static float z[kRows * kLatent], rows[kRows * kFeatures];
  gpuvae_array codes = array_of(z, GPUVAE_F32, kRows, kLatent);
  gpuvae_array images = array_of(rows, GPUVAE_F32, kRows, kFeatures);
  EXPECT_OK(gpuvae_encode_sample_given(model, &x, condition, 5, &codes));
  EXPECT(memcmp(z, run->sampled_codes, sizeof z) == 0);
  EXPECT_OK(gpuvae_encode_given(model, &x, condition, &codes));
  EXPECT(memcmp(z, run->codes, sizeof z) == 0);
  EXPECT_OK(gpuvae_reconstruct_given(model, &x, condition, &images));
  EXPECT(memcmp(rows, run->reconstructions, sizeof rows) == 0);
  memset(rows, 0, sizeof rows);
  EXPECT_OK(gpuvae_decode_given(model, &codes, condition, &images));
  EXPECT(memcmp(rows, run->reconstructions, sizeof rows) == 0);
  if (!condition) return;
  gpuvae_array one = *condition;
  one.rows = 1;
  EXPECT_OK(gpuvae_decode_given(model, &codes, &one, &images));
  EXPECT(memcmp(rows, run->one_decoded, sizeof rows) == 0);
}

static inline void check_draws(const gpuvae_model* model, const gpuvae_array* condition,
                               const struct ModelRun* run) {
  static float pz[kDraws * kLatent], draws[kDraws * kFeatures];
  gpuvae_array prior = array_of(pz, GPUVAE_F32, kDraws, kLatent);
  gpuvae_array examples = array_of(draws, GPUVAE_F32, kDraws, kFeatures);
  gpuvae_array given = given_rows();
  given.rows = kDraws;
  EXPECT_OK(gpuvae_sample_given(model, condition ? &given : NULL, 9, &prior, NULL, &examples));
  EXPECT(memcmp(pz, run->prior_codes, sizeof pz) == 0);
  EXPECT(memcmp(draws, run->prior_draws, sizeof draws) == 0);
}

static inline void check_scores(const gpuvae_model* model, gpuvae_array x, const gpuvae_array* condition,
                                const struct ModelRun* run) {
  static double scores[kRows * kScores], few[kRows * 3];
  gpuvae_array all = array_of(scores, GPUVAE_F64, kRows, kScores);
  gpuvae_array first = array_of(few, GPUVAE_F64, kRows, 3);
  gpuvae_evaluate_options options;
  gpuvae_likelihood likelihood;
  gpuvae_losses losses;
  EXPECT((int)kScores == (int)GPUVAE_SCORE_COLUMNS);
  EXPECT_OK(gpuvae_evaluate_options_init(&options, sizeof options));
  options.samples = kSamples;
  options.seed = 4;
  options.condition = condition;
  EXPECT_OK(gpuvae_score_rows(model, &x, &options, &all));
  EXPECT(memcmp(scores, run->scores, sizeof scores) == 0);
  options.samples = 0;
  EXPECT_OK(gpuvae_score_rows(model, &x, &options, &first));
  for (int row = 0; row < kRows; ++row)
    EXPECT(memcmp(few + 3 * row, run->scores + kScores * row, 3 * sizeof(double)) == 0);
  EXPECT_ERROR(gpuvae_score_rows(model, &x, &options, &all), GPUVAE_INVALID_ARGUMENT,
               "[gpuvae_score_rows] expected 1 or more samples, got 0");
  options.samples = kSamples;
  EXPECT_OK(gpuvae_evaluate_elbo(model, &x, &options, &losses));
  EXPECT(losses.loss == run->elbo[0] && losses.kl == run->elbo[2]);
  EXPECT_OK(gpuvae_log_likelihood(model, &x, &options, &likelihood));
  EXPECT(likelihood.log_likelihood == run->log_likelihood[0]);
  EXPECT(likelihood.standard_error == run->log_likelihood[1]);
  EXPECT(likelihood.effective_samples == run->log_likelihood[2]);
}

static inline void check_model(const gpuvae_model* model, gpuvae_array x, const gpuvae_array* condition,
                               const struct ModelRun* run) {
  check_codes(model, x, condition, run);
  check_draws(model, condition, run);
  check_scores(model, x, condition, run);
}

static inline gpuvae_model* saved_and_loaded(gpuvae_model* model, const char* file) {
  gpuvae_model* loaded = NULL;
  EXPECT_OK(gpuvae_model_save(model, path_in_folder(file)));
  EXPECT_OK(gpuvae_model_free(model));
  EXPECT_OK(gpuvae_model_load(path_in_folder(file), "cpu", &loaded));
  return loaded;
}

#endif /* GPUVAE_TESTS_C_MODEL_CHECKS_H_ */
