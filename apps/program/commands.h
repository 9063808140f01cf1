// The commands of the programs: train, and those on a trained model.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Runs the command of a command line. Throws Error.
void run_command(const Program& program, const CommandLine& line);

}  // namespace gpuvae::apps
