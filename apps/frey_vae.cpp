// Trains a variational autoencoder on the Frey faces and draws what it learned.
#include <cstdio>
#include <cstdlib>

#include "apps/cli/presets.h"
#include "apps/program/program.h"

namespace gpuvae::apps {
namespace {

// The faces from the folder --data-dir, or from $GPUVAE_DATA_DIR or data/; the built-in faces if none has the
// file.
Split load(RunConfig& config) {
  if (config.data.builtin) return procedural_frey();
  if (!config.data.folder.empty()) return load_frey(config.data.folder);
  const char* from_environment = std::getenv("GPUVAE_DATA_DIR");
  for (const char* folder : {from_environment, "data"})
    if (folder && has_frey(folder)) return load_frey(folder);
  std::fprintf(stderr,
               "note    no frey_rawface.mat in data/: training on the built-in faces (data/fetch.sh "
               "downloads the original)\n");
  config.data.builtin = true;
  return procedural_frey();
}

}  // namespace
}  // namespace gpuvae::apps

int main(int argc, char** argv) {
  using namespace gpuvae::apps;
  return run_program(argc, argv,
                     {"frey_vae",
                      "Trains a variational autoencoder on the Frey faces and draws what it learned, or runs "
                      "a command on a trained one.",
                      frey_presets(), load, "class", "frame"});
}
