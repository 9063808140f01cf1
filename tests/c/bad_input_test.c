/* Bad handles, arrays and values in calls of the C interface: every call must return a status and a message,
   and change nothing. A callback may stop a run. */
#include <math.h>

#include "tests/c/bad_input.h"

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

int main(void) {
  EXPECT(strcmp(gpuvae_last_error(), "") == 0);
  EXPECT(strcmp(gpuvae_status_name(GPUVAE_IO), "GPUVAE_IO") == 0);
  EXPECT(strcmp(gpuvae_status_name(-1), "unknown status") == 0);
  EXPECT_ERROR(gpuvae_set_num_threads(0), GPUVAE_INVALID_ARGUMENT, "threads, got 0");
  EXPECT_ERROR(gpuvae_set_log_callback(NULL, 3, NULL), GPUVAE_INVALID_ARGUMENT, "level from 0 to 2, got 3");
  check_handles();
  check_arrays();
  check_values();
  check_column_types();
  check_stop();
  printf("%d failures\n", failures);
  return failures != 0;
}
