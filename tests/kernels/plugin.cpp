// A shared library with gpuvae inside, as the plugin of another program. plugin_test.cpp loads it.
#include <gpuvae/gpuvae.h>

#include <vector>

using namespace gpuvae;

namespace {

// Values in [0, 1] without a random number generator.
Tensor examples(std::int64_t rows, std::int64_t columns) {
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * i % 97) / 96;
  return Tensor::from(values, {rows, columns});
}

// A matrix whose columns are zero, but for every 16th one.
Tensor sparse(std::int64_t rows, std::int64_t columns) {
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < values.size(); i += 16) values[i] = static_cast<float>(i % 7) - 3;
  return Tensor::from(values, {rows, columns});
}

}  // namespace

// Returns the sum of the elements of two products, one of which has a sparse factor, computed on `threads`
// threads.
extern "C" [[gnu::visibility("default")]] double plugin_product(int threads) {
  set_num_threads(threads);
  const Tensor a = random_normal({512, 512}, {.seed = 1}), b = random_normal({512, 512}, {.seed = 2});
  return sum(matmul(a, b)).value().item() + sum(matmul(sparse(512, 512), b)).value().item();
}

// Trains a model for `epochs` epochs and returns the loss of the last one, in nats per example.
extern "C" [[gnu::visibility("default")]] double plugin_train(int epochs) {
  const Vae model({.features = 64, .encoder_widths = {32}, .latent = 2}, Device::cpu());
  Adam adam(model.parameters(), {.learning_rate = 1e-2});
  Trainer trainer(model, adam, {.height = 1, .width = 64, .examples = examples(200, 64)}, {},
                  {.batch_size = 50});
  return trainer.run_epochs(epochs).back().train.loss;
}

// Returns the number of threads that this copy of the library uses.
extern "C" [[gnu::visibility("default")]] int plugin_threads() { return num_threads(); }

// Throws gpuvae::Error.
extern "C" [[gnu::visibility("default")]] void plugin_fail() { set_num_threads(0); }

// Keeps `bytes` bytes of memory in the pool of this copy of the library, as a long run does.
extern "C" [[gnu::visibility("default")]] void plugin_use_memory(std::int64_t bytes) {
  (void)Tensor::full({bytes / 4}, 1);
}
