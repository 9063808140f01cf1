// Trains a variational autoencoder on the Frey faces and draws what it learned.
#include <cstdio>
#include <cstdlib>

#include "apps/cli/presets.h"
#include "apps/program/program.h"
#include "apps/run/other_data.h"

namespace gpuvae::apps {
namespace {

// The faces from the folder --data-dir, or else from $GPUVAE_DATA_DIR, which must have the file; or else from
// data/, or the built-in faces if data/ lacks the file.
Split load(RunConfig& config) {
  refuse_data_flags(config);
  if (config.data.builtin) return procedural_frey();
  if (!config.data.folder.empty()) return load_frey(config.data.folder);
  if (const char* folder = std::getenv("GPUVAE_DATA_DIR"); folder && *folder) return load_frey(folder);
  if (has_frey("data")) return load_frey("data");
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
