// What the programs do: train, and the commands on a trained model.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Throws Error.
void run_command(const Program& program, const CommandLine& line);

}  // namespace gpuvae::apps
