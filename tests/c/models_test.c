/* A C program that trains, saves, loads and uses models with an exemplar prior or missing values. Its results
   must have the bits of the C++ interface, which models_reference.cpp calls. Argument: an empty folder. */
#include <math.h>

#include "tests/c/model_checks.h"

static float with_gaps[kRows * kFeatures];

static void make_gaps(void) {
  for (int i = 0; i < kRows * kFeatures; ++i) with_gaps[i] = i % 7 == 3 ? (float)NAN : floats[i];
}

static gpuvae_array gap_rows(void) { return array_of(with_gaps, GPUVAE_F32, kRows, kFeatures); }

static void refuse_exemplars(gpuvae_model* model, gpuvae_array x) {
  gpuvae_array wrong = x, given = given_rows();
  const unsigned char first = bytes[0];
  float z[kLatent];
  gpuvae_array codes = array_of(z, GPUVAE_F32, 1, kLatent);
  EXPECT_ERROR(gpuvae_sample(model, 1, &codes, NULL, NULL), GPUVAE_INVALID_ARGUMENT,
               "[prior] expected a model with its exemplars");
  wrong.rows = kRows - 1;
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &wrong, NULL), GPUVAE_INVALID_ARGUMENT,
               "expected the 96 rows of the training set, got 95");
  bytes[0] = (unsigned char)(first + 1);
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &x, NULL), GPUVAE_INVALID_ARGUMENT,
               "[gpuvae_model_set_exemplars] expected the rows of the training set in their order");
  bytes[0] = first;
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &x, &given), GPUVAE_INVALID_ARGUMENT,
               "expected NULL as condition for a model without one");
}

static void check_exemplars(void) {
  static struct ModelRun run;
  gpuvae_model_options options = small_model("bernoulli");
  gpuvae_train_options training = small_training();
  gpuvae_trainer* trainer = NULL;
  const gpuvae_array x = byte_rows();
  float z[kLatent];
  gpuvae_array codes = array_of(z, GPUVAE_F32, 1, kLatent);
  reference_exemplars(bytes, &run);
  options.prior = "exemplar";
  options.prior_components = kPerStep;
  gpuvae_model* model = created(&options);
  EXPECT_ERROR(gpuvae_sample(model, 1, &codes, NULL, NULL), GPUVAE_INVALID_ARGUMENT,
               "[prior] expected a model with its exemplars");
  training.binarize = "dynamic";
  train(model, x, training, &run);
  check_model(model, x, NULL, &run);

  model = saved_and_loaded(model, "exemplars.safetensors");
  check_codes(model, x, NULL, &run);
  refuse_exemplars(model, x);
  EXPECT_OK(gpuvae_model_set_exemplars(model, &x, NULL));
  check_model(model, x, NULL, &run);
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &training, &trainer));
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &x, NULL), GPUVAE_INVALID_ARGUMENT,
               "expected a model without a trainer, got one with 1");
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(model));

  options.prior_components = 1;
  EXPECT_ERROR(gpuvae_model_create(&options, &model), GPUVAE_INVALID_ARGUMENT,
               "[prior] expected 2 or more exemplars per step, got 1");
  options.prior = "mixture";
  model = created(&options);
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &x, NULL), GPUVAE_INVALID_ARGUMENT,
               "expected a model with the prior exemplar, got mixture");
  EXPECT_OK(gpuvae_model_free(model));
}

static void check_missing(void) {
  static struct ModelRun run;
  static float filled[kRows * kFeatures];
  gpuvae_model_options options = small_model("gaussian");
  gpuvae_array x = gap_rows(), result = array_of(filled, GPUVAE_F32, kRows, kFeatures);
  reference_missing(with_gaps, &run);
  options.missing_values = 1;
  gpuvae_model* model = created(&options);
  train(model, x, small_training(), &run);
  check_model(model, x, NULL, &run);
  EXPECT_OK(gpuvae_impute(model, &x, NULL, &result));
  for (int i = 0; i < kRows * kFeatures; ++i) EXPECT(filled[i] == run.imputed[i]);
  model = saved_and_loaded(model, "missing.safetensors");
  memcpy(filled, with_gaps, sizeof filled);
  EXPECT_OK(gpuvae_impute(model, &result, NULL, &result));
  for (int i = 0; i < kRows * kFeatures; ++i) EXPECT(filled[i] == run.imputed[i]);
  result.columns = kFeatures - 1;
  EXPECT_ERROR(gpuvae_impute(model, &x, NULL, &result), GPUVAE_INVALID_ARGUMENT,
               "[gpuvae_impute] expected imputed examples of 12 columns, got 11");
  EXPECT_OK(gpuvae_model_free(model));
  options.missing_values = 0;
  model = created(&options);
  result.columns = kFeatures;
  EXPECT_ERROR(gpuvae_impute(model, &x, NULL, &result), GPUVAE_INVALID_ARGUMENT,
               "[gpuvae_impute] expected a model with missing_values, got one without");
  EXPECT_OK(gpuvae_model_free(model));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  make_examples();
  make_gaps();
  make_conditions();
  check_exemplars();
  check_missing();
  printf("%d failures\n", failures);
  return failures != 0;
}
