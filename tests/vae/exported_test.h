/* Compares what exported functions computed with what the library computes. Plain C, for all languages. */
#ifndef GPUVAE_TESTS_EXPORTED_TEST_H
#define GPUVAE_TESTS_EXPORTED_TEST_H

#include <math.h>
#include <stdio.h>

#include "exported_models.h"

static int failures = 0;

/* Errors are relative to the expected value where that exceeds 1. A NaN fails. */
static void compare(const char* model, const char* what, const float* got, const float* expected, int count) {
  double worst = 0;
  int i;
  for (i = 0; i < count; ++i) {
    const double size = fabs((double)expected[i]);
    const double error = fabs((double)got[i] - (double)expected[i]) / (size > 1 ? size : 1);
    if (!(error <= worst)) worst = error;
  }
  printf("%-15s %-14s %.2e\n", model, what, worst);
  if (!(worst <= 1e-6)) {
    printf("FAILED: expected an error of at most 1e-6\n");
    ++failures;
  }
}

#endif
