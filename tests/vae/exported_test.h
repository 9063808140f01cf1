/* Compares what exported functions computed with what the library computes. Plain C, for all languages. */
#ifndef GPUVAE_TESTS_EXPORTED_TEST_H
#define GPUVAE_TESTS_EXPORTED_TEST_H

#include <math.h>
#include <stdio.h>

#include "exported_models.h"

static int failures = 0;

/* Errors are relative to the largest expected value if that exceeds 1. A NaN fails. */
static void compare(const char* model, const char* what, const float* got, const float* expected, int count) {
  double worst = 0, size = 1;
  int i, wrong = 0;
  for (i = 0; i < count; ++i)
    if (fabs((double)expected[i]) > size) size = fabs((double)expected[i]);
  for (i = 0; i < count; ++i) {
    const double error = fabs((double)got[i] - (double)expected[i]) / size;
    if (!(error <= 1e-6)) ++wrong;
    if (error > worst) worst = error;
  }
  printf("%-15s %-14s %.2e\n", model, what, worst);
  if (wrong > 0) {
    printf("FAILED: expected errors of at most 1e-6, got %d that are larger or NaN\n", wrong);
    ++failures;
  }
}

#endif
