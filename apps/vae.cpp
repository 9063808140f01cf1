// Trains a variational autoencoder on data of any kind: arrays, tables, images.
#include "apps/cli/presets.h"
#include "apps/program/program.h"

int main(int argc, char** argv) {
  using namespace gpuvae;
  using namespace gpuvae::apps;
  const auto load = [](RunConfig& config) -> Split {
    if (config.data.builtin) return synthetic_counts();
    throw Error("data",
                "expected --data PATH: an .npy, .csv, .mat or IDX file, or a folder of images; "
                "or --builtin-data for synthetic counts");
  };
  return run_program(
      argc, argv,
      {"vae",
       "Trains a variational autoencoder on data of any kind (arrays, tables, images) and draws "
       "what it learned, or runs a command on a trained one.",
       file_presets(), load});
}
