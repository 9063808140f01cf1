/* Bad options of models and trainers: every call must return a status and a message, and create nothing. */
#include <math.h>

#include "tests/c/bad_input.h"

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

int main(void) {
  check_model_options();
  check_train_options();
  printf("%d failures\n", failures);
  return failures != 0;
}
