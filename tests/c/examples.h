/* The examples, the small model and its training of the tests that compare C with C++. Their sizes are those
   of reference.h. */
#ifndef GPUVAE_TESTS_C_EXAMPLES_H_
#define GPUVAE_TESTS_C_EXAMPLES_H_

#include <math.h>

#include "tests/c/c_test.h"
#include "tests/c/reference.h"

static const char* folder;
static unsigned char bytes[kRows * kFeatures];
static float floats[kRows * kFeatures];

static inline const char* path_in_folder(const char* name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static inline void make_examples(void) {
  for (int i = 0; i < kRows * kFeatures; ++i) {
    bytes[i] = (unsigned char)((i * i * 7 + i * 31) / 16);
    floats[i] = (float)sin(0.37 * i) * (float)(1 + i % kFeatures);
  }
}

static inline gpuvae_array byte_rows(void) { return array_of(bytes, GPUVAE_U8, kRows, kFeatures); }
static inline gpuvae_array float_rows(void) { return array_of(floats, GPUVAE_F32, kRows, kFeatures); }

static inline gpuvae_model_options small_model(const char* likelihood) {
  static const int64_t widths[] = {8, 6};
  gpuvae_model_options options;
  EXPECT_OK(gpuvae_model_options_init(&options, sizeof options));
  EXPECT(options.struct_size == sizeof options);
  EXPECT(options.features == 784);
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

static inline gpuvae_model* created(const gpuvae_model_options* options) {
  gpuvae_model* model = NULL;
  EXPECT_OK(gpuvae_model_create(options, &model));
  return model;
}

static inline gpuvae_train_options small_training(void) {
  gpuvae_train_options options;
  EXPECT_OK(gpuvae_train_options_init(&options, sizeof options));
  options.batch_size = kBatch;
  options.learning_rate = 2e-3;
  options.seed = 8;
  return options;
}

#endif /* GPUVAE_TESTS_C_EXAMPLES_H_ */
