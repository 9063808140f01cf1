// Trains a variational autoencoder from C: a noisy spiral of three-dimensional points gets one latent
// dimension. Compile it as C99 or later and link it like a C++ program with libgpuvae.
//
// Prints:
//   epoch 20: the validation loss fell below that of epoch 1
//   encoded 3 values per point as 1
//   log p(x) is above the ELBO
#include <gpuvae/c.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { kPoints = 500, kValidation = 100, kEpochs = 20 };

// Ends the program with the library's message unless a call succeeded.
static void require(gpuvae_status status) {
  if (status == GPUVAE_OK) return;
  fprintf(stderr, "%s: %s\n", gpuvae_status_name(status), gpuvae_last_error());
  exit(1);
}

// Keeps the validation loss of the first epoch.
static int keep_first_loss(const gpuvae_epoch_result* epoch, void* user) {
  if (epoch->epoch == 1) *(double*)user = epoch->validation.loss;
  return GPUVAE_CONTINUE;
}

int main(void) {
  static float points[kPoints][3], codes[kPoints][1];
  for (int i = 0; i < kPoints; ++i) {
    const double t = 0.02 * i;
    points[i][0] = (float)(sin(t) + 0.05 * sin(91.0 * i));
    points[i][1] = (float)(cos(t) + 0.05 * sin(57.0 * i));
    points[i][2] = (float)(0.2 * t - 1 + 0.05 * sin(33.0 * i));
  }
  const gpuvae_array x = {points, GPUVAE_F32, kPoints, 3, 0};
  gpuvae_array validation = x;
  validation.rows = kValidation;
  const gpuvae_array z = {codes, GPUVAE_F32, kPoints, 1, 0};

  gpuvae_model_options options;
  require(gpuvae_model_options_init(&options, sizeof options));
  options.features = 3;
  options.latent = 1;
  options.likelihood = "gaussian";
  options.sigmoid_mean = 0;  // the points are not in [0, 1]
  options.device = "cpu";
  gpuvae_model* model = NULL;
  require(gpuvae_model_create(&options, &model));

  gpuvae_train_options training;
  require(gpuvae_train_options_init(&training, sizeof training));
  training.batch_size = 20;
  training.learning_rate = 1e-2;
  double first_loss = 0;
  gpuvae_epoch_result last = {.struct_size = sizeof last};
  gpuvae_trainer* trainer = NULL;
  require(gpuvae_trainer_create(model, &x, &validation, &training, &trainer));
  require(gpuvae_trainer_on_epoch(trainer, keep_first_loss, &first_loss));
  require(gpuvae_trainer_run_epochs(trainer, kEpochs, &last));
  require(gpuvae_trainer_free(trainer));
  printf("epoch %d: the validation loss %s that of epoch 1\n", (int)last.epoch,
         last.validation.loss < first_loss ? "fell below" : "is not below");

  require(gpuvae_encode(model, &x, &z));
  printf("encoded %d values per point as %d\n", (int)x.columns, (int)z.columns);
  gpuvae_losses elbo;
  gpuvae_likelihood likelihood;
  require(gpuvae_evaluate_elbo(model, &x, NULL, &elbo));
  require(gpuvae_log_likelihood(model, &x, NULL, &likelihood));
  printf("log p(x) is %s the ELBO\n", likelihood.log_likelihood > -elbo.loss ? "above" : "not above");
  require(gpuvae_model_free(model));
  return 0;
}
