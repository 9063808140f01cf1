/* Bad input to the C interface: every call must return a status and a message, and change nothing. Argument:
   an empty folder. */
#include <math.h>
#include <stdlib.h>

#include "tests/c/c_test.h"

enum { kRows = 12, kFeatures = 4, kLatent = 2 };

static float x_data[kRows * kFeatures], z_data[kRows * kLatent];

static gpuvae_model* new_model(const char* likelihood) {
  gpuvae_model_options options;
  gpuvae_model* model = NULL;
  EXPECT_OK(gpuvae_model_options_init(&options, sizeof options));
  options.features = kFeatures;
  options.likelihood = likelihood;
  options.device = "cpu";
  EXPECT_OK(gpuvae_model_create(&options, &model));
  return model;
}

static gpuvae_array examples(void) { return array_of(x_data, GPUVAE_F32, kRows, kFeatures); }
static gpuvae_array codes(void) { return array_of(z_data, GPUVAE_F32, kRows, kLatent); }

static void check_handles(void) {
  gpuvae_array x = examples();
  gpuvae_array z = codes();
  gpuvae_trainer* trainer = NULL;
  gpuvae_model* model = new_model(NULL);
  gpuvae_model_info info;
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  EXPECT(info.epochs == 0 && info.bytes == 0);
  EXPECT_ERROR(gpuvae_encode(NULL, &x, &z), GPUVAE_INVALID_ARGUMENT,
               "[gpuvae_encode] expected a model, got NULL");
  EXPECT_ERROR(gpuvae_encode((gpuvae_model*)(void*)x_data, &x, &z), GPUVAE_INVALID_ARGUMENT,
               "expected a model, got a handle that was freed or never created");
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer));
  EXPECT_ERROR(gpuvae_encode((gpuvae_model*)(void*)trainer, &x, &z), GPUVAE_INVALID_ARGUMENT,
               "expected a model, got a trainer");
  EXPECT_ERROR(gpuvae_trainer_run_epochs((gpuvae_trainer*)(void*)model, 1, NULL), GPUVAE_INVALID_ARGUMENT,
               "expected a trainer, got a model");
  EXPECT_OK(gpuvae_model_free(model));
  EXPECT_ERROR(gpuvae_encode(model, &x, &z), GPUVAE_INVALID_ARGUMENT, "freed or never created");
  EXPECT_ERROR(gpuvae_model_free(model), GPUVAE_INVALID_ARGUMENT, "freed or never created");
  EXPECT_ERROR(gpuvae_model_save(model, "unused"), GPUVAE_INVALID_ARGUMENT, "freed or never created");
  /* The trainer keeps what it needs of the freed model. */
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, NULL));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_ERROR(gpuvae_trainer_run_epochs(trainer, 1, NULL), GPUVAE_INVALID_ARGUMENT,
               "expected a trainer, got a handle that was freed or never created");
  EXPECT_OK(gpuvae_model_free(NULL));
  EXPECT_OK(gpuvae_trainer_free(NULL));
  EXPECT_ERROR(gpuvae_model_create(NULL, NULL), GPUVAE_INVALID_ARGUMENT, "pointer to the result");
}

static void check_arrays(void) {
  gpuvae_model* model = new_model(NULL);
  const gpuvae_array x = examples(), z = codes();
  gpuvae_array bad = x;
  EXPECT_ERROR(gpuvae_encode(model, NULL, &z), GPUVAE_INVALID_ARGUMENT,
               "expected an array as examples, got NULL");
  bad.data = NULL;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "got NULL data");
  bad = x;
  bad.columns = kFeatures - 1;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "examples of 4 columns, got 3");
  bad = x;
  bad.rows = 0;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "got 0 x 4");
  bad = x;
  bad.row_stride = kFeatures - 1;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "row_stride of 0 or of 4 or more");
  bad = x;
  bad.row_stride = INT64_MAX / 2;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "fewer than 2^63 bytes");
  bad = x;
  bad.dtype = 7;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "as the dtype of examples, got 7");
  bad = x;
  bad.data = (char*)x_data + 1;
  EXPECT_ERROR(gpuvae_encode(model, &bad, &z), GPUVAE_INVALID_ARGUMENT, "aligned to 4 bytes");
  bad = z;
  bad.rows = kRows - 1;
  EXPECT_ERROR(gpuvae_encode(model, &x, &bad), GPUVAE_INVALID_ARGUMENT, "codes of 12 rows, got 11");
  bad = z;
  bad.dtype = GPUVAE_U8;
  EXPECT_ERROR(gpuvae_encode(model, &x, &bad), GPUVAE_INVALID_ARGUMENT, "got GPUVAE_U8");
  EXPECT_ERROR(gpuvae_decode(model, &bad, &x), GPUVAE_INVALID_ARGUMENT, "got GPUVAE_U8");
  EXPECT_ERROR(gpuvae_sample(model, 0, NULL, NULL, NULL), GPUVAE_INVALID_ARGUMENT, "got none");
  bad = x;
  bad.rows = 3;
  EXPECT_ERROR(gpuvae_sample(model, 0, NULL, &x, &bad), GPUVAE_INVALID_ARGUMENT,
               "same number of rows, got 12 and 3");
  EXPECT_OK(gpuvae_encode(model, &x, &z));
  EXPECT_OK(gpuvae_model_free(model));
}

static void check_values(void) {
  gpuvae_model* model = new_model(NULL);
  gpuvae_array x = examples(), z = codes();
  gpuvae_losses losses = {7, 7, 7};
  gpuvae_likelihood likelihood;
  double doubles[kFeatures] = {0, 0, 0, 0};
  gpuvae_array of_doubles = array_of(doubles, GPUVAE_F64, 1, kFeatures);
  z.rows = 1;
  x_data[6] = (float)NAN;
  EXPECT_ERROR(gpuvae_evaluate_elbo(model, &x, NULL, &losses), GPUVAE_INVALID_ARGUMENT,
               "expected finite values, got nan in row 1, column 2 (from 0)");
  EXPECT(losses.loss == 7);
  x_data[6] = 1.5f;
  EXPECT_ERROR(gpuvae_evaluate_elbo(model, &x, NULL, &losses), GPUVAE_INVALID_ARGUMENT,
               "expected values from 0 to 1 for this likelihood, got 1.5 in row 1, column 2");
  x_data[6] = 0;
  EXPECT_OK(gpuvae_evaluate_elbo(model, &x, NULL, &losses));
  EXPECT_OK(gpuvae_model_free(model));

  model = new_model("gaussian");
  doubles[1] = 1e300;
  EXPECT_ERROR(gpuvae_encode(model, &of_doubles, &z), GPUVAE_INVALID_ARGUMENT,
               "expected numbers within 32-bit floats, got 1e+300 in row 0, column 1");
  doubles[1] = 1e30;
  EXPECT_OK(gpuvae_encode(model, &of_doubles, &z));
  losses.loss = 7;
  EXPECT_ERROR(gpuvae_evaluate_elbo(model, &of_doubles, NULL, &losses), GPUVAE_NOT_FINITE,
               "[gpuvae_evaluate_elbo] expected examples with a finite likelihood");
  EXPECT(losses.loss == 7);
  EXPECT_ERROR(gpuvae_log_likelihood(model, &of_doubles, NULL, &likelihood), GPUVAE_NOT_FINITE,
               "[gpuvae_log_likelihood] expected examples with a finite likelihood");
  EXPECT_OK(gpuvae_model_free(model));
}

/* The types of columns decide which values are allowed, in training and in every later call. */
static void check_column_types(void) {
  float rows[] = {2, 0.5f, 100, 1, 0, 4, 0.25f, 80, 0, 1};
  float z_of_rows[2 * kLatent];
  const struct {
    int at;
    float value;
    const char* part;
  } bad[] = {
      {5, -1, "expected whole numbers of 0 or more in column 0 (poisson), got -1 in row 1 (from 0)"},
      {1, 2.5f, "expected numbers from 0 to 1 in column 1 (bernoulli), got 2.5 in row 0"},
      {7, -80, "expected a library size above 0 in column 2 (library), got -80 in row 1"},
      {4, 1, "expected at most one 1 in the columns 3 to 4 (categorical), got 2 in row 0"},
  };
  gpuvae_array x = array_of(rows, GPUVAE_F32, 2, 5), z = array_of(z_of_rows, GPUVAE_F32, 2, kLatent);
  gpuvae_model_options options;
  gpuvae_model* model = NULL;
  gpuvae_trainer* trainer = NULL;
  EXPECT_OK(gpuvae_model_options_init(&options, sizeof options));
  options.features = 5;
  options.likelihood = "columns";
  options.column_types = "poisson:1,bernoulli:1,library:1,categorical:2";
  options.device = "cpu";
  EXPECT_OK(gpuvae_model_create(&options, &model));
  EXPECT_OK(gpuvae_encode(model, &x, &z));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    const float good = rows[bad[i].at];
    rows[bad[i].at] = bad[i].value;
    EXPECT_ERROR(gpuvae_encode(model, &x, &z), GPUVAE_INVALID_ARGUMENT, bad[i].part);
    EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer), GPUVAE_INVALID_ARGUMENT,
                 bad[i].part);
    rows[bad[i].at] = good;
  }
  EXPECT_OK(gpuvae_model_free(model));
}

static void expect_model_error(const gpuvae_model_options* options, const char* part) {
  gpuvae_model* model = NULL;
  EXPECT_ERROR(gpuvae_model_create(options, &model), GPUVAE_INVALID_ARGUMENT, part);
  EXPECT(model == NULL);
}

static void check_model_options(void) {
  gpuvae_model_options good, bad;
  const int64_t widths[] = {8, 0};
  EXPECT_OK(gpuvae_model_options_init(&good, sizeof good));
  good.device = "cpu";
  bad = good;
  bad.features = 0;
  expect_model_error(&bad, "features, got 0");
  bad = good;
  bad.latent = -1;
  expect_model_error(&bad, "latent of 1 or more");
  bad = good;
  bad.height = 27;
  expect_model_error(&bad, "a height that divides the 784 features, got 27");
  bad = good;
  bad.encoder_widths = widths;
  bad.encoder_layers = -1;
  expect_model_error(&bad, "0 to 1000 as encoder_layers, got -1");
  bad.encoder_layers = 2;
  expect_model_error(&bad, "got");
  bad = good;
  bad.activation = "relu6";
  expect_model_error(&bad, "expected identity, relu, leaky_relu");
  bad = good;
  bad.likelihood = "Bernoulli\n";
  expect_model_error(&bad, "as likelihood, got Bernoulli");
  bad = good;
  bad.prior = "";
  expect_model_error(&bad, "expected one of normal, mixture, vamp, exemplar as prior");
  bad = good;
  bad.sigmoid_mean = 2;
  expect_model_error(&bad, "expected 0 or 1 as sigmoid_mean, got 2");
  bad = good;
  bad.prior = "mixture";
  bad.prior_components = 0;
  expect_model_error(&bad, "as prior_components, got 0");
  bad = good;
  bad.likelihood = "gaussian";
  bad.log_variance_low = 6;
  expect_model_error(&bad, "got");
  bad = good;
  bad.device = "gpu";
  expect_model_error(&bad, "gpu");
}

static void expect_trainer_error(gpuvae_model* model, const gpuvae_train_options* options, const char* part) {
  gpuvae_array x = examples();
  gpuvae_trainer* trainer = NULL;
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, options, &trainer), GPUVAE_INVALID_ARGUMENT, part);
  EXPECT(trainer == NULL);
}

static void check_train_options(void) {
  gpuvae_model* model = new_model(NULL);
  gpuvae_array x = examples();
  gpuvae_trainer *first = NULL, *second = NULL;
  gpuvae_train_options good, bad;
  EXPECT_OK(gpuvae_train_options_init(&good, sizeof good));
  bad = good;
  bad.batch_size = 0;
  expect_trainer_error(model, &bad, "got 0");
  bad = good;
  bad.optimizer = "adamax";
  expect_trainer_error(model, &bad, "expected sgd, rmsprop, rmsprop_tf1, adagrad, adam, adamw as optimizer");
  bad = good;
  bad.learning_rate = -0.5;
  expect_trainer_error(model, &bad, "-0.5");
  bad = good;
  bad.beta = NAN;
  expect_trainer_error(model, &bad, "finite beta");
  bad = good;
  bad.binarize = "static";
  expect_trainer_error(model, &bad, "expected none, threshold, fixed, dynamic as binarize, got static");
  bad = good;
  bad.shuffle = -1;
  expect_trainer_error(model, &bad, "expected 0 or 1 as shuffle, got -1");
  bad = good;
  bad.on_nan = "ignore";
  expect_trainer_error(model, &bad, "expected stop, skip, rewind as on_nan, got ignore");
  bad = good;
  bad.average_decay = 1;
  expect_trainer_error(model, &bad, "expected a decay in [0, 1), got 1");
  bad = good;
  bad.average_form = "mean";
  expect_trainer_error(model, &bad, "expected warmup, debiased, first, zero as average_form, got mean");
  bad = good;
  bad.patience = -1;
  expect_trainer_error(model, &bad, "as patience, got -1");
  bad.patience = 2;
  expect_trainer_error(model, &bad, "expected validation examples");
  bad = good;
  bad.data_output_bias = 2;
  expect_trainer_error(model, &bad, "expected 0 or 1 as data_output_bias, got 2");
  bad = good;
  bad.objective = "vae";
  expect_trainer_error(model, &bad,
                       "expected elbo, stl, iwae, iwae_stl, dreg, ciwae, miwae, piwae as objective, got vae");
  bad = good;
  bad.objective = "iwae";
  bad.objective_groups = 2;
  expect_trainer_error(model, &bad, "expected 1 group of draws for the objective iwae, got 2");
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &first));
  EXPECT_ERROR(gpuvae_trainer_create(model, &x, NULL, NULL, &second), GPUVAE_INVALID_ARGUMENT, "optimi");
  EXPECT_ERROR(gpuvae_trainer_on_steps(first, 0, NULL, NULL), GPUVAE_INVALID_ARGUMENT, "callback, got NULL");
  EXPECT_ERROR(gpuvae_trainer_on_epoch(first, NULL, NULL), GPUVAE_INVALID_ARGUMENT, "callback, got NULL");
  EXPECT_ERROR(gpuvae_trainer_run_epochs(first, -1, NULL), GPUVAE_INVALID_ARGUMENT, "epochs, got -1");
  EXPECT_ERROR(gpuvae_trainer_set_learning_rate(first, 0), GPUVAE_INVALID_ARGUMENT, "got 0");
  EXPECT_OK(gpuvae_trainer_free(first));
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &second));
  EXPECT_OK(gpuvae_trainer_free(second));
  EXPECT_OK(gpuvae_model_free(model));
}

static void write_file(const char* path, const char* text) {
  FILE* file = fopen(path, "wb");
  EXPECT(file != NULL);
  if (file == NULL) return;
  EXPECT(fwrite(text, 1, strlen(text), file) == strlen(text));
  EXPECT(fclose(file) == 0);
}

static void check_files(const char* folder) {
  char path[4096], text[4096];
  gpuvae_model* model = new_model(NULL);
  gpuvae_model* loaded = NULL;
  EXPECT_ERROR(gpuvae_model_load(NULL, NULL, &loaded), GPUVAE_INVALID_ARGUMENT, "expected a path, got NULL");
  EXPECT_ERROR(gpuvae_model_load("", NULL, &loaded), GPUVAE_INVALID_ARGUMENT, "got an empty text");
  EXPECT_ERROR(gpuvae_model_load(folder, NULL, &loaded), GPUVAE_IO, "model.safetensors");
  snprintf(path, sizeof path, "%s/missing/model.safetensors", folder);
  EXPECT_ERROR(gpuvae_model_save(model, path), GPUVAE_IO, path);
  snprintf(path, sizeof path, "%s/damaged.safetensors", folder);
  write_file(path, "no safetensors file");
  EXPECT_ERROR(gpuvae_model_load(path, NULL, &loaded), GPUVAE_IO, path);
  /* The first 8 bytes are the length of the JSON header, whose metadata describe no model. */
  memset(text, 0, sizeof text);
  strcpy(text + 8, "{\"__metadata__\":{\"format_version\":\"3\"}}  ");
  text[0] = (char)strlen(text + 8);
  FILE* file = fopen(path, "wb");
  EXPECT(file != NULL && fwrite(text, 1, 8 + strlen(text + 8), file) > 8 && fclose(file) == 0);
  EXPECT_ERROR(gpuvae_model_load(path, NULL, &loaded), GPUVAE_IO,
               "expected format version 1 to 2, got 3: a newer version of gpuvae wrote this file");
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  EXPECT_OK(gpuvae_model_save(model, path));
  EXPECT_ERROR(gpuvae_model_load(folder, "cuda:x", &loaded), GPUVAE_INVALID_ARGUMENT, "cuda:x");
  EXPECT(loaded == NULL);
  EXPECT_OK(gpuvae_model_load(folder, "cpu", &loaded));
  EXPECT_OK(gpuvae_model_free(loaded));
  EXPECT_OK(gpuvae_model_free(model));
}

static int64_t epochs_of(const gpuvae_model* model) {
  gpuvae_model_info info;
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_model_get_info(model, &info));
  return info.epochs;
}

/* A file that does not fit leaves the trainer and its model as they were. */
static void check_restore(const char* folder) {
  char path[4096];
  gpuvae_model* model = new_model(NULL);
  gpuvae_array x = examples();
  gpuvae_trainer* trainer = NULL;
  gpuvae_losses before, after;
  gpuvae_train_options options;
  EXPECT_OK(gpuvae_train_options_init(&options, sizeof options));
  snprintf(path, sizeof path, "%s/parameters.safetensors", folder);
  EXPECT_OK(gpuvae_model_save(model, path));
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, NULL));
  EXPECT_OK(gpuvae_evaluate_elbo(model, &x, NULL, &before));
  EXPECT_ERROR(gpuvae_trainer_restore(trainer, path), GPUVAE_IO, path);
  EXPECT_ERROR(gpuvae_trainer_restore(trainer, NULL), GPUVAE_INVALID_ARGUMENT, "expected a path, got NULL");
  EXPECT_OK(gpuvae_trainer_save(trainer, path));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  options.batch_size = 5;
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &options, &trainer));
  EXPECT_ERROR(gpuvae_trainer_restore(trainer, path), GPUVAE_IO, "with the batch_size 5, got 100");
  EXPECT_OK(gpuvae_trainer_free(trainer));
  x.rows = kRows - 1;
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer));
  EXPECT_ERROR(gpuvae_trainer_restore(trainer, path), GPUVAE_IO, "with the fingerprint ");
  x.rows = kRows;
  EXPECT_OK(gpuvae_evaluate_elbo(model, &x, NULL, &after));
  EXPECT(before.loss == after.loss);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  options.batch_size = 100;
  options.optimizer = "sgd";
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &options, &trainer));
  EXPECT_ERROR(gpuvae_trainer_restore(trainer, path), GPUVAE_IO, "optimiser sgd, got that of adam");
  EXPECT(epochs_of(model) == 1);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(model));
}

/* A checkpoint has the epochs of the model before its trainer, so that those of the model are known. */
static void check_restored_epochs(const char* folder) {
  char model_path[4096], path[4096];
  gpuvae_array x = examples();
  gpuvae_model *model = new_model(NULL), *loaded = NULL;
  gpuvae_trainer* trainer = NULL;
  snprintf(model_path, sizeof model_path, "%s/three_epochs.safetensors", folder);
  snprintf(path, sizeof path, "%s/five_epochs.safetensors", folder);
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 3, NULL));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_save(model, model_path));
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, NULL, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 2, NULL));
  EXPECT_OK(gpuvae_trainer_save(trainer, path));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(model));

  EXPECT_OK(gpuvae_model_load(model_path, "cpu", &loaded));
  EXPECT(epochs_of(loaded) == 3);
  EXPECT_OK(gpuvae_trainer_create(loaded, &x, NULL, NULL, &trainer));
  EXPECT_OK(gpuvae_trainer_restore(trainer, path));
  EXPECT(epochs_of(loaded) == 5);
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, NULL));
  EXPECT(epochs_of(loaded) == 6);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(loaded));
}

/* Trains a model on the examples, saves it, and loads it again. */
static gpuvae_model* reloaded(const char* folder, const char* likelihood, const gpuvae_array* train) {
  char path[4096];
  gpuvae_model *model = new_model(likelihood), *loaded = NULL;
  gpuvae_trainer* trainer = NULL;
  snprintf(path, sizeof path, "%s/reloaded.safetensors", folder);
  EXPECT_OK(gpuvae_trainer_create(model, train, NULL, NULL, &trainer));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, NULL));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_save(model, path));
  EXPECT_OK(gpuvae_model_free(model));
  EXPECT_OK(gpuvae_model_load(path, "cpu", &loaded));
  return loaded;
}

/* The examples of a loaded model must be of the kind of its training data. */
static void check_kinds(const char* folder) {
  static unsigned char bytes[kRows * kFeatures];
  const gpuvae_array of_bytes = array_of(bytes, GPUVAE_U8, kRows, kFeatures);
  const gpuvae_array x = examples(), z = codes();
  gpuvae_model* model = NULL;
  for (int i = 0; i < kRows * kFeatures; ++i) {
    bytes[i] = (unsigned char)(i * 5);
    x_data[i] = (float)bytes[i] / 255;
  }
  model = reloaded(folder, "bernoulli", &of_bytes);
  EXPECT_OK(gpuvae_encode(model, &of_bytes, &z));
  EXPECT_OK(gpuvae_encode(model, &x, &z));
  x_data[5] = 2;
  EXPECT_ERROR(gpuvae_encode(model, &x, &z), GPUVAE_INVALID_ARGUMENT,
               "expected values from 0 to 1, or bytes as GPUVAE_U8, like the training data, got 2 in row 1, "
               "column 1");
  x_data[5] = 0.5f;
  EXPECT_OK(gpuvae_model_free(model));
  model = reloaded(folder, "bernoulli", &x);
  EXPECT_OK(gpuvae_encode(model, &of_bytes, &z));
  x_data[5] = -1;
  EXPECT_ERROR(gpuvae_encode(model, &x, &z), GPUVAE_INVALID_ARGUMENT, "from 0 to 1, like the training data");
  EXPECT_OK(gpuvae_model_free(model));
  model = reloaded(folder, "gaussian", &x);
  EXPECT_OK(gpuvae_encode(model, &x, &z));
  EXPECT_ERROR(gpuvae_encode(model, &of_bytes, &z), GPUVAE_INVALID_ARGUMENT, "got GPUVAE_U8");
  EXPECT_OK(gpuvae_model_free(model));
  memset(x_data, 0, sizeof x_data);
}

static int count_and_stop(const gpuvae_step_report* report, void* user) {
  EXPECT(report->struct_size == sizeof *report);
  EXPECT(report->learning_rate > 0);
  *(uint64_t*)user = report->step;
  return report->step >= 4 ? GPUVAE_STOP : GPUVAE_CONTINUE;
}

static void check_stop(void) {
  gpuvae_model* model = new_model(NULL);
  gpuvae_array x = examples();
  gpuvae_trainer* trainer = NULL;
  gpuvae_train_options options;
  gpuvae_steps_result result;
  gpuvae_epoch_result epoch;
  uint64_t seen = 0;
  result.struct_size = sizeof result;
  epoch.struct_size = sizeof epoch;
  EXPECT_OK(gpuvae_train_options_init(&options, sizeof options));
  options.batch_size = 1;
  EXPECT_OK(gpuvae_trainer_create(model, &x, NULL, &options, &trainer));
  EXPECT_OK(gpuvae_trainer_on_steps(trainer, 2, count_and_stop, &seen));
  EXPECT_OK(gpuvae_trainer_run_steps(trainer, 100, &result));
  EXPECT(seen == 4 && result.steps == 4 && result.stopped == 1);
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 5, &epoch));
  EXPECT(seen == 6 && epoch.epoch == 1 && epoch.complete == 0);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(model));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  EXPECT(strcmp(gpuvae_last_error(), "") == 0);
  EXPECT(strcmp(gpuvae_status_name(GPUVAE_IO), "GPUVAE_IO") == 0);
  EXPECT(strcmp(gpuvae_status_name(-1), "unknown status") == 0);
  EXPECT_ERROR(gpuvae_set_num_threads(0), GPUVAE_INVALID_ARGUMENT, "threads, got 0");
  EXPECT_ERROR(gpuvae_set_log_callback(NULL, 3, NULL), GPUVAE_INVALID_ARGUMENT, "level from 0 to 2, got 3");
  check_handles();
  check_arrays();
  check_values();
  check_column_types();
  check_model_options();
  check_train_options();
  check_files(argv[1]);
  check_restore(argv[1]);
  check_restored_epochs(argv[1]);
  check_kinds(argv[1]);
  check_stop();
  printf("%d failures\n", failures);
  return failures != 0;
}
