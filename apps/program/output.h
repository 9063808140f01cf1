// The files that commands write.
#pragma once

#include <filesystem>

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Says on stderr that a file was written.
void say_wrote(const std::filesystem::path& path);

// Returns the file of --output, or a file of the run folder that no other program wrote.
std::filesystem::path output_or(const Session& s, const Command& command, const char* name);

}  // namespace gpuvae::apps
