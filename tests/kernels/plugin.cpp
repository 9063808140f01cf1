// A shared library with gpuvae inside, as the plugin of another program. plugin_test.cpp loads it.
#include "gpuvae/gpuvae.h"

// Returns the sum of a product's elements, computed on `threads` threads.
extern "C" [[gnu::visibility("default")]] double plugin_product(int threads) {
  using namespace gpuvae;
  set_num_threads(threads);
  const Tensor a = random_normal({512, 512}, {.seed = 1}), b = random_normal({512, 512}, {.seed = 2});
  return sum(matmul(a, b)).value().item();
}
