/* The schedules of the learning rate: bad options, which must return a status and a message, and the rates of
   the steps. */
#include <math.h>

#include "tests/c/examples.h"

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

int main(void) {
  make_examples();
  check_schedules();
  check_learning_rates();
  printf("%d failures\n", failures);
  return failures != 0;
}
