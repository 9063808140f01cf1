// Trains a variational autoencoder on MNIST and draws what it learned.
#include <cstdio>
#include <cstdlib>

#include "apps/common/train_app.h"

namespace gpuvae::apps {
namespace {

constexpr const char* kProgram = "mnist_vae";

std::vector<Preset> presets() {
  Preset standard{
      "default", "784-256-128-64-2, a good 2-D manifold in seconds: Adam, summed ELBO, 9 epochs", {}};
  standard.config.hidden = {256, 128, 64};
  standard.config.optimizer.learning_rate = 2e-3;
  standard.config.epochs = 9;

  Preset keras{"keras-mnist", "784-256-2 as in the Keras VAE notebooks: RMSprop, 3 epochs", {}};
  keras.config.optimizer = OptimizerOptions::defaults(OptimizerKind::rmsprop);
  return {standard, keras};
}

// The folder asked for, or else the first that has MNIST; the built-in digits if none has.
Split load(const RunConfig& config) {
  if (config.builtin_data) return procedural_mnist();
  if (!config.data_dir.empty()) return load_mnist(config.data_dir);
  const char* from_environment = std::getenv("GPUVAE_DATA_DIR");
  for (const char* folder : {from_environment, "data"})
    if (folder && has_mnist(folder)) return load_mnist(folder);
  std::fprintf(
      stderr,
      "note    no MNIST files in data/: training on built-in digits (data/fetch.sh downloads MNIST)\n");
  return procedural_mnist();
}

}  // namespace
}  // namespace gpuvae::apps

int main(int argc, char** argv) {
  using namespace gpuvae::apps;
  calm_openmp(argv);
  const CommandLine line =
      parse_command_line(argc, argv, kProgram,
                         "Trains a variational autoencoder on MNIST digits and draws what it "
                         "learned: manifold, reconstructions, samples.",
                         presets());
  if (line.exit_code >= 0) return line.exit_code;
  return run_guarded(kProgram, [&] { train_and_write({kProgram, load}, line.config); });
}
