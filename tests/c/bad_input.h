/* A small model and its examples, for tests of bad input. */
#ifndef GPUVAE_TESTS_C_BAD_INPUT_H_
#define GPUVAE_TESTS_C_BAD_INPUT_H_

#include "tests/c/c_test.h"

enum { kRows = 12, kFeatures = 4, kLatent = 2 };

static float x_data[kRows * kFeatures], z_data[kRows * kLatent];

static inline gpuvae_model* new_model(const char* likelihood) {
  gpuvae_model_options options;
  gpuvae_model* model = NULL;
  EXPECT_OK(gpuvae_model_options_init(&options, sizeof options));
  options.features = kFeatures;
  options.likelihood = likelihood;
  options.device = "cpu";
  EXPECT_OK(gpuvae_model_create(&options, &model));
  return model;
}

static inline gpuvae_array examples(void) { return array_of(x_data, GPUVAE_F32, kRows, kFeatures); }
static inline gpuvae_array codes(void) { return array_of(z_data, GPUVAE_F32, kRows, kLatent); }

#endif /* GPUVAE_TESTS_C_BAD_INPUT_H_ */
