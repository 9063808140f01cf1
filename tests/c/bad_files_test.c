/* Files of models and trainers that are damaged or do not fit, and examples of another kind than a file's
   training data: every call must return a status and a message, and change nothing. Argument: an empty
   folder. */
#include "tests/c/bad_input.h"

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

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  check_files(argv[1]);
  check_restore(argv[1]);
  check_restored_epochs(argv[1]);
  check_kinds(argv[1]);
  printf("%d failures\n", failures);
  return failures != 0;
}
