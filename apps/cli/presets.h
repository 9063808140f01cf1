// The presets of the programs: published systems, and a default for each program.
#pragma once

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

struct Preset {
  std::string name, description;
  RunConfig config;
};

std::vector<Preset> mnist_presets();
std::vector<Preset> frey_presets();
std::vector<Preset> file_presets();  // of `vae`, for data of any kind

}  // namespace gpuvae::apps
