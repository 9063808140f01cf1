// Checks of a command line.
#pragma once

#include "apps/cli/command_line.h"

namespace gpuvae::apps {

// Finds mistakes before the data are read and a model is trained. Throws Error.
void check_command(const Command& c, const RunConfig& config);

}  // namespace gpuvae::apps
