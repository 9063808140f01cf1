/* Tests exported headers as C99 and, included by exported_test.cpp, as C++. */
#include "exported_test.h"

#define CHECK_MODEL(m)                                                                         \
  {                                                                                            \
    static float mean[EXPORTED_ROWS * m##_latent], draw[EXPORTED_ROWS * m##_latent];           \
    static float again[EXPORTED_ROWS * m##_latent];                                            \
    static float decoded[EXPORTED_ROWS * m##_features], params[EXPORTED_ROWS * m##_params];    \
    int r, i;                                                                                  \
    for (r = 0; r < EXPORTED_ROWS; ++r) {                                                      \
      m##_encode(m##_test_x + r * m##_features, mean + r * m##_latent, draw + r * m##_latent); \
      m##_encode(m##_test_x + r * m##_features, again + r * m##_latent, (float*)0);            \
      m##_decode(m##_test_z + r * m##_latent, decoded + r * m##_features);                     \
      m##_decode_params(m##_test_z + r * m##_latent, params + r * m##_params);                 \
    }                                                                                          \
    for (i = 0; i < EXPORTED_ROWS * m##_latent; ++i) draw[i] += mean[i];                       \
    compare(#m, "mean", mean, m##_test_mean, EXPORTED_ROWS* m##_latent);                       \
    compare(#m, "mean alone", again, m##_test_mean, EXPORTED_ROWS* m##_latent);                \
    compare(#m, "draw", draw, m##_test_draw, EXPORTED_ROWS* m##_latent);                       \
    compare(#m, "decoded", decoded, m##_test_decoded, EXPORTED_ROWS* m##_features);            \
    compare(#m, "decoded params", params, m##_test_decoded_params, EXPORTED_ROWS* m##_params); \
  }

#define CHECK_UNITS(m)                                                                 \
  {                                                                                    \
    static float scaled[m##_features];                                                 \
    static double row[m##_features];                                                   \
    int r, i;                                                                          \
    for (r = 0; r < 5; ++r) {                                                          \
      m##_scale(m##_test_row + r * m##_features, scaled);                              \
      m##_unscale(m##_test_scaled + r * m##_features, row);                            \
      compare(#m, "scaled", scaled, m##_test_scaled + r * m##_features, m##_features); \
      for (i = 0; i < m##_features; ++i) {                                             \
        const double expected = m##_test_unscaled[r * m##_features + i];               \
        if (!(fabs(row[i] - expected) <= 1e-15 * fabs(expected))) {                    \
          printf("FAILED: %s: expected %.17g, got %.17g\n", #m, expected, row[i]);     \
          ++failures;                                                                  \
        }                                                                              \
      }                                                                                \
    }                                                                                  \
  }

int main(void) {
  EXPORTED_HOST_MODELS(CHECK_MODEL)
  EXPORTED_UNITS(CHECK_UNITS)
  printf("%d failures\n", failures);
  return failures > 0;
}
