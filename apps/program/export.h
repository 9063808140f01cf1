// The command export, which writes a trained model for other programs.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// The file of the run folder that receives a header without --output.
inline constexpr const char* kExportedHeader = "model.h";

// Throws Error if there is no --format, or if --output names a file that the format cannot have. Call it
// before a model is trained.
void check_export(const Command& command);
// Writes the session's model in the format `command.format`: the files encoder.onnx and decoder.onnx, or a
// header with functions in CUDA or C. Throws Error if the format does not support the model, or if a file
// that no run wrote would be overwritten without having been named.
void export_model(const Session& session, const Command& command);

}  // namespace gpuvae::apps
