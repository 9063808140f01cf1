/* A C program that trains, saves, loads and uses models. Its results must have the bits of the C++ interface,
   which reference.cpp calls. Argument: an empty folder. */
#include <math.h>
#include <stdlib.h>

#include "tests/c/examples.h"

static gpuvae_model* new_model(const char* likelihood) {
  const gpuvae_model_options options = small_model(likelihood);
  return created(&options);
}

static gpuvae_trainer* new_trainer(gpuvae_model* model, const gpuvae_array* train) {
  const gpuvae_train_options options = small_training();
  gpuvae_trainer* trainer = NULL;
  gpuvae_array validation = *train;
  validation.rows = kValidationRows;
  EXPECT_OK(gpuvae_trainer_create(model, train, &validation, &options, &trainer));
  return trainer;
}

static void expect_losses(const gpuvae_losses* got, const double* expected) {
  EXPECT(got->loss == expected[0]);
  EXPECT(got->reconstruction == expected[1]);
  EXPECT(got->kl == expected[2]);
  EXPECT(fabs(got->loss) > 0);
}

static void check_training(gpuvae_trainer* trainer, const struct ReferenceRun* run) {
  gpuvae_epoch_result last;
  gpuvae_steps_result steps;
  last.struct_size = sizeof last;
  steps.struct_size = sizeof steps;
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 2, &last));
  EXPECT(last.epoch == 2 && last.complete == 1 && last.skipped_steps == 0 && last.rewinds == 0);
  EXPECT(last.train_seconds > 0);
  expect_losses(&last.train, run->epoch_losses);
  expect_losses(&last.validation, run->epoch_losses + 3);
  EXPECT_OK(gpuvae_trainer_run_steps(trainer, 3, &steps));
  EXPECT(steps.steps == 3 && steps.stopped == 0);
  expect_losses(&steps.losses, run->step_losses);
}

/* Encodes and decodes with arrays of the types `dtype`, whose rows are `gap` elements longer than needed. */
static void check_arrays(const gpuvae_model* model, const gpuvae_array* x, const struct ReferenceRun* run,
                         int64_t dtype, int gap) {
  const size_t item = dtype == GPUVAE_F64 ? sizeof(double) : sizeof(float);
  char* z_data = (char*)calloc((size_t)kRows * (size_t)(kLatent + gap), item);
  char* x_data = (char*)calloc((size_t)kRows * (size_t)(kFeatures + gap), item);
  gpuvae_array z = array_of(z_data, dtype, kRows, kLatent);
  gpuvae_array decoded = array_of(x_data, dtype, kRows, kFeatures);
  z.row_stride = gap == 0 ? 0 : kLatent + gap;
  decoded.row_stride = gap == 0 ? 0 : kFeatures + gap;
  EXPECT_OK(gpuvae_encode(model, x, &z));
  EXPECT_OK(gpuvae_decode(model, &z, &decoded));
  int different = 0;
  for (int row = 0; row < kRows; ++row) {
    for (int i = 0; i < kFeatures + gap; ++i) {
      const int at = row * (kFeatures + gap) + i;
      const double got = dtype == GPUVAE_F64 ? ((double*)x_data)[at] : (double)((float*)x_data)[at];
      different += got != (i < kFeatures ? (double)run->reconstructions[row * kFeatures + i] : 0);
    }
    for (int i = 0; i < kLatent + gap; ++i) {
      const int at = row * (kLatent + gap) + i;
      const double got = dtype == GPUVAE_F64 ? ((double*)z_data)[at] : (double)((float*)z_data)[at];
      different += got != (i < kLatent ? (double)run->codes[row * kLatent + i] : 0);
    }
  }
  EXPECT(different == 0);
  free(z_data);
  free(x_data);
}

static void check_draws(const gpuvae_model* model, const gpuvae_array* x, const struct ReferenceRun* run) {
  static float z[kRows * kLatent], pz[kDraws * kLatent], mean[kDraws * kFeatures], draws[kDraws * kFeatures];
  static float reconstructed[kRows * kFeatures];
  gpuvae_array codes = array_of(z, GPUVAE_F32, kRows, kLatent);
  gpuvae_array images = array_of(reconstructed, GPUVAE_F32, kRows, kFeatures);
  gpuvae_array prior = array_of(pz, GPUVAE_F32, kDraws, kLatent);
  gpuvae_array means = array_of(mean, GPUVAE_F32, kDraws, kFeatures);
  gpuvae_array examples = array_of(draws, GPUVAE_F32, kDraws, kFeatures);
  EXPECT_OK(gpuvae_encode_sample(model, x, 5, &codes));
  EXPECT(memcmp(z, run->sampled_codes, sizeof z) == 0);
  EXPECT(memcmp(z, run->codes, sizeof z) != 0);
  EXPECT_OK(gpuvae_reconstruct(model, x, &images));
  EXPECT(memcmp(reconstructed, run->reconstructions, sizeof reconstructed) == 0);
  EXPECT_OK(gpuvae_sample(model, 9, &prior, &means, &examples));
  EXPECT(memcmp(pz, run->prior_codes, sizeof pz) == 0);
  EXPECT(memcmp(mean, run->prior_means, sizeof mean) == 0);
  EXPECT(memcmp(draws, run->prior_draws, sizeof draws) == 0);
  memset(draws, 0, sizeof draws);
  EXPECT_OK(gpuvae_sample(model, 9, NULL, NULL, &examples));
  EXPECT(memcmp(draws, run->prior_draws, sizeof draws) == 0);
}

static void check_likelihood(const gpuvae_model* model, const gpuvae_array* x,
                             const struct ReferenceRun* run) {
  gpuvae_evaluate_options options;
  gpuvae_likelihood likelihood;
  gpuvae_losses losses;
  EXPECT_OK(gpuvae_evaluate_options_init(&options, sizeof options));
  options.samples = kSamples;
  options.seed = 4;
  EXPECT_OK(gpuvae_evaluate_elbo(model, x, &options, &losses));
  expect_losses(&losses, run->elbo);
  EXPECT_OK(gpuvae_log_likelihood(model, x, &options, &likelihood));
  EXPECT(likelihood.log_likelihood == run->log_likelihood[0]);
  EXPECT(likelihood.standard_error == run->log_likelihood[1]);
  EXPECT(likelihood.effective_samples == run->log_likelihood[2]);
}

static void check_inference(const gpuvae_model* model, const gpuvae_array* x,
                            const struct ReferenceRun* run) {
  check_arrays(model, x, run, GPUVAE_F32, 0);
  check_arrays(model, x, run, GPUVAE_F32, 5);
  check_arrays(model, x, run, GPUVAE_F64, 1);
  check_draws(model, x, run);
  check_likelihood(model, x, run);
}

/* A loaded model can be trained further, and its file then counts all epochs. */
static void check_further_training(gpuvae_model* model, const gpuvae_array* x, const char* file) {
  gpuvae_model* again = NULL;
  gpuvae_model_info info;
  gpuvae_losses before, after;
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_evaluate_elbo(model, x, NULL, &before));
  gpuvae_trainer* trainer = new_trainer(model, x);
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 3, NULL));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_save(model, path_in_folder(file)));
  EXPECT_OK(gpuvae_model_load(path_in_folder(file), "cpu", &again));
  EXPECT_OK(gpuvae_model_get_info(again, &info));
  EXPECT(info.epochs == 5);
  EXPECT_OK(gpuvae_evaluate_elbo(again, x, NULL, &after));
  EXPECT(after.loss < before.loss);
  EXPECT_OK(gpuvae_model_free(again));
}

static void check_run(const char* likelihood, int as_bytes, const char* file) {
  static struct ReferenceRun run;
  memset(&run, 0, sizeof run);
  run.likelihood = likelihood;
  run.bytes = as_bytes ? bytes : NULL;
  run.floats = floats;
  reference_run(&run);

  gpuvae_array x = as_bytes ? array_of(bytes, GPUVAE_U8, kRows, kFeatures)
                            : array_of(floats, GPUVAE_F32, kRows, kFeatures);
  gpuvae_model* model = new_model(likelihood);
  gpuvae_trainer* trainer = new_trainer(model, &x);
  check_training(trainer, &run);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  check_inference(model, &x, &run);
  EXPECT_OK(gpuvae_model_save(model, path_in_folder(file)));
  EXPECT_OK(gpuvae_model_free(model));

  gpuvae_model* loaded = NULL;
  gpuvae_model_info info;
  info.struct_size = sizeof info;
  EXPECT_OK(gpuvae_model_load(path_in_folder(file), "cpu", &loaded));
  check_inference(loaded, &x, &run);
  EXPECT_OK(gpuvae_model_get_info(loaded, &info));
  EXPECT(info.features == kFeatures && info.latent == kLatent && info.epochs == 2);
  EXPECT(info.bytes == as_bytes && info.standardized == 0 && info.height == 1 && info.width == kFeatures);
  check_further_training(loaded, &x, file);
  EXPECT_OK(gpuvae_model_free(loaded));
}

/* A run that is divided among two trainers by a checkpoint yields the bits of an undivided run. */
static void check_checkpoint(void) {
  static struct ReferenceRun run;
  memset(&run, 0, sizeof run);
  run.likelihood = "bernoulli";
  run.bytes = bytes;
  reference_run(&run);
  gpuvae_array x = array_of(bytes, GPUVAE_U8, kRows, kFeatures);
  gpuvae_model* first = new_model("bernoulli");
  gpuvae_trainer* trainer = new_trainer(first, &x);
  EXPECT_OK(gpuvae_trainer_run_steps(trainer, 13, NULL));
  EXPECT_OK(gpuvae_trainer_save(trainer, path_in_folder("checkpoint.safetensors")));
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(first));

  gpuvae_model* second = new_model("bernoulli");
  gpuvae_epoch_result last;
  last.struct_size = sizeof last;
  trainer = new_trainer(second, &x);
  EXPECT_OK(gpuvae_trainer_restore(trainer, path_in_folder("checkpoint.safetensors")));
  EXPECT_OK(gpuvae_trainer_run_epochs(trainer, 1, &last));
  EXPECT(last.epoch == 2);
  expect_losses(&last.train, run.epoch_losses);
  expect_losses(&last.validation, run.epoch_losses + 3);
  EXPECT_OK(gpuvae_trainer_run_steps(trainer, 3, NULL));
  check_inference(second, &x, &run);
  EXPECT_OK(gpuvae_trainer_free(trainer));
  EXPECT_OK(gpuvae_model_free(second));
}

/* A message of the trainer reaches the callback, and none after the callback was removed. */
static void count_message(int64_t level, const char* operation, const char* text, void* user) {
  if (level == GPUVAE_LOG_INFO && strcmp(operation, "train") == 0 && strstr(text, "executor eager"))
    ++*(int*)user;
}

static void check_log(void) {
  int messages = 0;
  gpuvae_model* model = new_model("bernoulli");
  gpuvae_array x = array_of(bytes, GPUVAE_U8, kRows, kFeatures);
  EXPECT_OK(gpuvae_set_log_callback(count_message, GPUVAE_LOG_INFO, &messages));
  EXPECT_OK(gpuvae_trainer_free(new_trainer(model, &x)));
  EXPECT(messages == 1);
  EXPECT_OK(gpuvae_set_log_callback(count_message, GPUVAE_LOG_WARNING, &messages));
  EXPECT_OK(gpuvae_trainer_free(new_trainer(model, &x)));
  EXPECT_OK(gpuvae_set_log_callback(NULL, GPUVAE_LOG_INFO, NULL));
  EXPECT_OK(gpuvae_trainer_free(new_trainer(model, &x)));
  EXPECT(messages == 1);
  EXPECT_OK(gpuvae_model_free(model));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  EXPECT(gpuvae_abi_version() == GPUVAE_C_ABI_VERSION);
  make_examples();
  check_run("bernoulli", 1, "bytes.safetensors");
  check_run("gaussian", 0, "floats.safetensors");
  check_checkpoint();
  check_log();
  printf("%d failures\n", failures);
  return failures != 0;
}
