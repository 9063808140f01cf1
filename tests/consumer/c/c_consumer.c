/* Trains a model with the installed library, from C. Prints the loss of the last epoch as an exact number,
   which python_consumer.py compares with its own. */
#include <gpuvae/c.h>
#include <stdio.h>
#include <stdlib.h>

enum { kRows = 100, kColumns = 8, kEpochs = 5 };

static void require(gpuvae_status status) {
  if (status == GPUVAE_OK) return;
  fprintf(stderr, "%s: %s\n", gpuvae_status_name(status), gpuvae_last_error());
  exit(1);
}

int main(void) {
  static float values[kRows * kColumns];
  gpuvae_array examples = {values, GPUVAE_F32, kRows, kColumns, 0};
  gpuvae_model_options options;
  gpuvae_train_options training;
  gpuvae_epoch_result last = {0};
  gpuvae_model* model = NULL;
  gpuvae_trainer* trainer = NULL;
  int i;
  for (i = 0; i < kRows * kColumns; ++i) values[i] = (float)(i * i % 97) / 96;
  if (gpuvae_abi_version() != GPUVAE_C_ABI_VERSION) return 1;
  require(gpuvae_model_options_init(&options, sizeof options));
  options.features = kColumns;
  options.device = "cpu";
  require(gpuvae_model_create(&options, &model));
  require(gpuvae_train_options_init(&training, sizeof training));
  training.batch_size = 20;
  require(gpuvae_trainer_create(model, &examples, NULL, &training, &trainer));
  last.struct_size = sizeof last;
  require(gpuvae_trainer_run_epochs(trainer, kEpochs, &last));
  require(gpuvae_trainer_free(trainer));
  require(gpuvae_model_free(model));
  printf("gpuvae %s: loss %.17g\n", gpuvae_version(), last.train.loss);
  return last.epoch == kEpochs && last.train.loss > 0 && last.train.loss < 10 ? 0 : 1;
}
