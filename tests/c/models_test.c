/* A C program that trains, saves, loads and uses models with an exemplar prior, a condition or missing
   values. Its results must have the bits of the C++ interface, which models_reference.cpp calls. Argument: an
   empty folder. */
#include <math.h>
#include <stdlib.h>

#include "tests/c/c_test.h"
#include "tests/c/models_reference.h"

static const char* folder;
static unsigned char bytes[kRows * kFeatures];
static float floats[kRows * kFeatures], with_gaps[kRows * kFeatures];
static double conditions[kRows * kGiven];

static const char* path_in_folder(const char* name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void make_examples(void) {
  for (int i = 0; i < kRows * kFeatures; ++i) {
    bytes[i] = (unsigned char)((i * i * 7 + i * 31) / 16);
    floats[i] = (float)sin(0.37 * i) * (float)(1 + i % kFeatures);
    with_gaps[i] = i % 7 == 3 ? (float)NAN : floats[i];
  }
  for (int row = 0; row < kRows; ++row) {
    conditions[row * kGiven] = cos(0.2 * row);
    conditions[row * kGiven + 1] = row % 5;
    conditions[row * kGiven + 2] = row % kClasses;
  }
}

static gpuvae_array byte_rows(void) { return array_of(bytes, GPUVAE_U8, kRows, kFeatures); }
static gpuvae_array float_rows(void) { return array_of(floats, GPUVAE_F32, kRows, kFeatures); }
static gpuvae_array gap_rows(void) { return array_of(with_gaps, GPUVAE_F32, kRows, kFeatures); }
static gpuvae_array given_rows(void) { return array_of(conditions, GPUVAE_F64, kRows, kGiven); }

static gpuvae_model_options small_model(const char* likelihood) {
  static const int64_t widths[] = {8, 6};
  gpuvae_model_options options;
  EXPECT_OK(gpuvae_model_options_init(&options, sizeof options));
  options.features = kFeatures;
  options.latent = kLatent;
  options.encoder_widths = widths;
  options.encoder_layers = 2;
  options.activation = "tanh";
  options.likelihood = likelihood;
  options.sigmoid_mean = 0;
  options.device = "cpu";
  options.seed = 3;
  return options;
}

static gpuvae_model* created(const gpuvae_model_options* options) {
  gpuvae_model* model = NULL;
  EXPECT_OK(gpuvae_model_create(options, &model));
  return model;
}

static gpuvae_train_options small_training(void) {
  gpuvae_train_options options;
  EXPECT_OK(gpuvae_train_options_init(&options, sizeof options));
  options.batch_size = kBatch;
  options.learning_rate = 2e-3;
  options.seed = 8;
  return options;
}

/* Trains for two epochs, with the first rows as validation examples. */
static void train(gpuvae_model* model, gpuvae_array x, gpuvae_train_options options,
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
static void check_codes(const gpuvae_model* model, gpuvae_array x, const gpuvae_array* condition,
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

static void check_draws(const gpuvae_model* model, const gpuvae_array* condition,
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

static void check_scores(const gpuvae_model* model, gpuvae_array x, const gpuvae_array* condition,
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

static void check_model(const gpuvae_model* model, gpuvae_array x, const gpuvae_array* condition,
                        const struct ModelRun* run) {
  check_codes(model, x, condition, run);
  check_draws(model, condition, run);
  check_scores(model, x, condition, run);
}

static gpuvae_model* saved_and_loaded(gpuvae_model* model, const char* file) {
  gpuvae_model* loaded = NULL;
  EXPECT_OK(gpuvae_model_save(model, path_in_folder(file)));
  EXPECT_OK(gpuvae_model_free(model));
  EXPECT_OK(gpuvae_model_load(path_in_folder(file), "cpu", &loaded));
  return loaded;
}

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

static void expect_condition_error(const gpuvae_model* model, const gpuvae_array* condition,
                                   const char* part) {
  static float z[kRows * kLatent];
  gpuvae_array x = float_rows(), codes = array_of(z, GPUVAE_F32, kRows, kLatent);
  EXPECT_ERROR(gpuvae_encode_given(model, &x, condition, &codes), GPUVAE_INVALID_ARGUMENT, part);
}

static void refuse_conditions(gpuvae_model* model) {
  double wrong[kRows * kGiven];
  gpuvae_array given = given_rows(), x = float_rows();
  gpuvae_train_options training = small_training();
  gpuvae_trainer* trainer = NULL;
  expect_condition_error(model, NULL, "expected a condition for a conditional model, got none");
  given.rows = 1;
  expect_condition_error(model, &given, "expected a condition of 96 rows, got 1");
  given = given_rows();
  given.columns = kNumbers;
  given.row_stride = kGiven;
  expect_condition_error(model, &given, "expected condition of 3 columns, got 2");
  given = array_of(bytes, GPUVAE_U8, kRows, kGiven);
  expect_condition_error(model, &given, "got GPUVAE_U8");
  given = array_of(wrong, GPUVAE_F64, kRows, kGiven);
  memcpy(wrong, conditions, sizeof wrong);
  wrong[kGiven + 2] = kClasses;
  expect_condition_error(model, &given,
                         "expected classes from 0 to 2 as condition, got 3 in row 1, column 2");
  wrong[kGiven + 2] = 0.5;
  expect_condition_error(model, &given, "expected classes from 0 to 2 as condition, got 0.5");
  wrong[kGiven + 1] = NAN;
  expect_condition_error(model, &given, "as condition, got nan in row 1, column 1");
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected a condition for a conditional model");
  given = given_rows();
  training.condition = &given;
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, &x, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected a condition for a conditional model");
  training.validation_condition = &given;
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected NULL as validation_condition without validation examples");
  training.binarize = "threshold";
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, &x, &training, &trainer), GPUVAE_INVALID_ARGUMENT,
               "expected none as binarize for a model with condition_columns, got threshold");
}

static void check_condition(void) {
  static struct ModelRun run;
  gpuvae_model_options options = small_model("gaussian");
  gpuvae_train_options training = small_training();
  const gpuvae_array x = float_rows();
  gpuvae_array given = given_rows();
  gpuvae_model_info info;
  reference_condition(floats, conditions, &run);
  options.condition_columns = kNumbers;
  options.condition_classes = kClasses;
  gpuvae_model* model = created(&options);
  refuse_conditions(model);
  training.condition = &given;
  training.schedule = "cosine";
  training.schedule_epochs = 2;
  training.lr_warmup = 1;
  training.lr_final = 5e-4;
  train(model, x, training, &run);
  check_model(model, x, &given, &run);

  model = saved_and_loaded(model, "condition.safetensors");
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  EXPECT(info.features == kFeatures && info.width == kFeatures && info.height == 1);
  EXPECT(info.condition_columns == kNumbers && info.condition_classes == kClasses);
  check_model(model, x, &given, &run);
  EXPECT_OK(gpuvae_model_free(model));

  /* A model that was never trained keeps its condition in a file, too. */
  model = saved_and_loaded(created(&options), "untrained.safetensors");
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  EXPECT(info.features == kFeatures && info.condition_columns == kNumbers &&
         info.condition_classes == kClasses);
  EXPECT_OK(gpuvae_model_free(model));

  options.height = 2;
  EXPECT_ERROR(gpuvae_model_create(&options, &model), GPUVAE_INVALID_ARGUMENT,
               "expected a height of 0 or 1 with condition_columns, got 2");
  options.condition_columns = 0;
  options.condition_classes = 257;
  EXPECT_ERROR(gpuvae_model_create(&options, &model), GPUVAE_INVALID_ARGUMENT,
               "expected 0 to 256 condition_classes, got 257");
}

/* Classes alone follow bytes as bytes. The exemplars of such a model are compared with their classes. */
static void check_classes_of_bytes(void) {
  static double classes[kRows];
  static float z[kRows * kLatent], before[kRows * kLatent];
  gpuvae_model_options options = small_model("bernoulli");
  gpuvae_train_options training = small_training();
  gpuvae_trainer* trainer = NULL;
  gpuvae_array x = byte_rows(), given = array_of(classes, GPUVAE_F64, kRows, 1);
  gpuvae_array codes = array_of(z, GPUVAE_F32, kRows, kLatent);
  for (int row = 0; row < kRows; ++row) classes[row] = row % 2;
  options.height = 3;
  options.condition_classes = 2;
  options.prior = "exemplar";
  gpuvae_model* model = created(&options);
  training.condition = &given;
  training.binarize = "dynamic";
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &training, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, NULL));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_sample_given(model, &given, 2, &codes, NULL, NULL));
  memcpy(before, z, sizeof before);
  model = saved_and_loaded(model, "classes.safetensors");
  classes[3] = 0;
  EXPECT_ERROR(gpuvae_model_set_exemplars(model, &x, &given), GPUVAE_INVALID_ARGUMENT,
               "expected the rows of the training set in their order");
  classes[3] = 1;
  EXPECT_OK(gpuvae_model_set_exemplars(model, &x, &given));
  EXPECT_OK(gpuvae_sample_given(model, &given, 2, &codes, NULL, NULL));
  EXPECT(memcmp(before, z, sizeof before) == 0);
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

static void expect_schedule_error(const gpuvae_train_options* options, const char* part) {
  gpuvae_model_options description = small_model("gaussian");
  gpuvae_model* model = created(&description);
  gpuvae_trainer* trainer = NULL;
  gpuvae_array x = float_rows();
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, options, &trainer), GPUVAE_INVALID_ARGUMENT, part);
  EXPECT_OK(gpuvae_model_free(model));
}

static void check_schedules(void) {
  const gpuvae_train_options good = small_training();
  gpuvae_train_options bad = good;
  bad.schedule = "linear\n";
  expect_schedule_error(&bad, "expected constant, step, cosine, iwae as schedule, got linear");
  bad.schedule = "cosine";
  expect_schedule_error(&bad, "expected a schedule_epochs of 1 or more for the schedule cosine, got 0");
  bad.schedule_epochs = 5;
  bad.lr_final = 1;
  expect_schedule_error(&bad, "expected a final learning rate from 0 to the learning rate");
  bad = good;
  bad.schedule = "step";
  bad.lr_decay_epochs = 0;
  expect_schedule_error(&bad, "expected a number of epochs above 0 between decays, got 0");
  bad.lr_decay_epochs = 1;
  bad.lr_decay_rate = NAN;
  expect_schedule_error(&bad, "expected an lr_decay_rate above 0, got nan");
  bad = good;
  bad.lr_warmup = -1;
  expect_schedule_error(&bad, "expected a warm-up of 0 or more epochs, got -1");
}

/* The reported learning rates of a step schedule, whose first epoch has ten steps. */
static int keep_rate(const gpuvae_step_report* report, void* user) {
  ((double*)user)[report->step - 1] = report->learning_rate;
  return GPUVAE_CONTINUE;
}

static void check_learning_rates(void) {
  gpuvae_model_options description = small_model("gaussian");
  gpuvae_train_options training = small_training();
  gpuvae_model* model = created(&description);
  gpuvae_trainer* trainer = NULL;
  gpuvae_array x = float_rows();
  double rates[12];
  training.schedule = "step";
  training.lr_decay_epochs = 1;
  training.lr_decay_rate = 0.5;
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &training, &trainer));
  EXPECT_OK(gpuvae_trainer_on_steps(trainer, 1, keep_rate, rates));
  EXPECT_OK(gpuvae_trainer_run_steps(trainer, 12, NULL));
  EXPECT(rates[0] == 2e-3 && rates[9] == 2e-3 && rates[10] == 1e-3 && rates[11] == 1e-3);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(model));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  make_examples();
  check_exemplars();
  check_condition();
  check_classes_of_bytes();
  check_missing();
  check_schedules();
  check_learning_rates();
  printf("%d failures\n", failures);
  return failures != 0;
}
