/* Checks for the tests in C. They print the first differences, and main() returns the number of failures. */
#ifndef GPUVAE_TESTS_C_C_TEST_H_
#define GPUVAE_TESTS_C_C_TEST_H_

#include <stdio.h>
#include <string.h>

#include "gpuvae/c.h"

static int failures = 0;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      failures += 1;                                                           \
      fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
    }                                                                          \
  } while (0)

#define EXPECT_OK(call) expect_status(__LINE__, #call, (call), GPUVAE_OK, "")

/* Expects a status and a part of the message. */
#define EXPECT_ERROR(call, status, part) expect_status(__LINE__, #call, (call), (status), (part))

static void expect_status(int line, const char* call, gpuvae_status got, gpuvae_status expected,
                          const char* part) {
  const char* message = got == GPUVAE_OK ? "" : gpuvae_last_error();
  if (got == expected && strstr(message, part) != NULL) return;
  failures += 1;
  fprintf(stderr, "line %d: %s\n  expected %s with \"%s\"\n  got %s: %s\n", line, call,
          gpuvae_status_name(expected), part, gpuvae_status_name(got), message);
}

static gpuvae_array array_of(void* data, int64_t dtype, int64_t rows, int64_t columns) {
  gpuvae_array array = {0};
  array.data = data;
  array.dtype = dtype;
  array.rows = rows;
  array.columns = columns;
  return array;
}

#endif /* GPUVAE_TESTS_C_C_TEST_H_ */
