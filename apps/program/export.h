// The command export, which writes a trained model for other programs.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Writes the model in the format `command.format`. Throws Error if the format does not support the model, or
// if a file that no run wrote would be overwritten.
void export_model(const Session& session, const Command& command);

}  // namespace gpuvae::apps
