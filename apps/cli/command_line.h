// The command line of a program, and the configuration files that it may name.
#pragma once

#include "apps/cli/presets.h"

namespace gpuvae::apps {

// The command, and the flags that are no part of the configuration.
struct Command {
  std::string name = "train";
  bool retrain = false;
  std::string config_file;  // empty: none
  std::string input, output, z;
  std::string set = "validation";       // images to work on: train or validation
  std::int64_t importance_samples = 0;  // of eval; 0: no importance-weighted estimate
  std::int64_t images = 0;              // number of images to work on, counted from the first; 0: all
};

struct CommandLine {
  RunConfig config;
  Command command;
  int exit_code = -1;      // 0 or more: the program ends (help was shown, or an error printed)
  std::string error = {};  // that was printed
};

// Flags override the TOML file given by --config, which overrides the preset. Commands other than train start
// from the config.toml of the run folder, if it has one. Prints help and errors itself.
CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets);

// The configuration that a run folder's config.toml holds. Throws Error.
RunConfig read_config(const std::string& path, const std::string& program,
                      const std::vector<Preset>& presets);

// The configuration as TOML, for --config.
std::string to_toml(const RunConfig& config, const std::string& program);

}  // namespace gpuvae::apps
