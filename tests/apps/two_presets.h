// Command lines of a program with two presets, for tests of its flags and of its configuration files.
#pragma once

#include <string>
#include <vector>

#include "apps/cli/command_line.h"

namespace gpuvae::test {

inline std::vector<apps::Preset> presets() {
  apps::Preset a{"default", "first", {}}, b{"other", "second", {}};
  b.config.model.encoder_widths = {64, 32};
  b.config.epochs = 7;
  b.config.training.data.shuffle = false;
  b.config.optimizer = OptimizerOptions::defaults(OptimizerKind::rmsprop);
  return {a, b};
}

inline apps::CommandLine parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  return apps::parse_command_line(static_cast<int>(arguments.size()), argv.data(), "program", "A program.",
                                  presets());
}

}  // namespace gpuvae::test
