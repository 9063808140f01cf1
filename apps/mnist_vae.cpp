// Trains a variational autoencoder on MNIST and draws what it learned.
#include <cstdio>
#include <cstdlib>

#include "apps/cli/presets.h"
#include "apps/program/program.h"
#include "apps/run/other_data.h"

namespace gpuvae::apps {
namespace {

// The built-in digits, as many as the run uses.
Split built_in(RunConfig& config) {
  constexpr std::int64_t kTrain = 60000, kTest = 10000;
  config.data.builtin = true;
  const auto wanted = [](std::int64_t asked, std::int64_t all) {
    return asked > 0 && asked < all ? asked : all;
  };
  const bool rest = config.data.validation_set == "rest";
  return procedural_mnist(rest ? kTrain : wanted(config.data.train_images, kTrain),
                          rest ? 1 : wanted(config.data.validation_images, kTest));
}

// MNIST from the folder --data-dir, or else from $GPUVAE_DATA_DIR, which must have the files; or else from
// data/, or the built-in digits if data/ lacks the files.
Split load(RunConfig& config) {
  refuse_data_flags(config);
  if (config.data.builtin) return built_in(config);
  if (!config.data.folder.empty()) return load_mnist(config.data.folder, config.data.placement);
  if (const char* folder = std::getenv("GPUVAE_DATA_DIR"); folder && *folder)
    return load_mnist(folder, config.data.placement);
  if (has_mnist("data")) return load_mnist("data", config.data.placement);
  std::fprintf(
      stderr,
      "note    no MNIST files in data/: training on the built-in digits (data/fetch.sh downloads MNIST)\n");
  return built_in(config);
}

}  // namespace
}  // namespace gpuvae::apps

int main(int argc, char** argv) {
  using namespace gpuvae::apps;
  return run_program(
      argc, argv,
      {"mnist_vae",
       "Trains a variational autoencoder on MNIST and draws what it learned, or runs a command on "
       "a trained one.",
       mnist_presets(), load, "digit", "", false});
}
