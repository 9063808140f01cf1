// The published systems, and one default of our own for each program. Sources of the published ones are named
// in the README, beside their numbers.
#pragma once

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

std::vector<Preset> mnist_presets();
std::vector<Preset> frey_presets();
std::vector<Preset> file_presets();  // of `vae`, for data of any kind

}  // namespace gpuvae::apps
