// The command export, which writes a trained model for other programs.
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// The file of the run folder that the command writes without --output.
inline constexpr const char* kExportFile = "model.h";

// Throws Error if --output names a file that the format cannot have. Call it before a model is trained.
void check_export(const Command& command);
// Writes the session's model to `path`, in the format of the command.
void export_model(const Session& session, const Command& command, const std::filesystem::path& path);

}  // namespace gpuvae::apps
