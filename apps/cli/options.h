// The options of the programs, bound to a configuration and a command: flags and keys of config.toml at once.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

// Without presets any preset's name is accepted.
void bind_config(CLI::App& app, RunConfig& config, const std::vector<Preset>& presets);
void bind_command(CLI::App& app, Command& command);
// The commands and presets, for the end of the help.
std::string option_footer(const std::vector<Preset>& presets);

}  // namespace gpuvae::apps
