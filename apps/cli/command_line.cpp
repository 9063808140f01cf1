#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/cli/options.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

// As CLI11 wants a list of arguments.
std::vector<std::string> reversed(std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

// The usual settings of an optimiser that was chosen without saying more.
void settle_optimizer(const CLI::App& app, RunConfig& c) {
  if (app.count("--optimizer") == 0) return;
  const OptimizerOptions usual = OptimizerOptions::defaults(c.optimizer.kind);
  const auto settle = [&](const char* flag, double OptimizerOptions::*field) {
    if (app.count(flag) == 0) c.optimizer.*field = usual.*field;
  };
  settle("--learning-rate", &OptimizerOptions::learning_rate);
  settle("--beta1", &OptimizerOptions::beta1);
  settle("--beta2", &OptimizerOptions::beta2);
  settle("--epsilon", &OptimizerOptions::epsilon);
  settle("--l2", &OptimizerOptions::l2);
}

// A first reading, for the preset, command and folder alone, on the command line or in the file: the real one
// starts from them, and reports what is wrong.
CommandLine first_reading(const std::vector<std::string>& arguments, const std::string& program,
                          const std::vector<Preset>& presets) {
  CommandLine scratch;
  CLI::App app("", program);
  bind_config(app, scratch.config, presets);
  bind_command(app, scratch.command);
  app.set_help_flag();
  app.allow_extras();
  try {
    app.parse(reversed(arguments));
  } catch (const CLI::ParseError&) {
  }
  return scratch;
}

std::string folder_of(const RunConfig& c, const std::string& program) {
  return c.out.empty() ? "runs/" + program + "-" + c.preset : c.out;
}

// Commands on a trained model start from its run's configuration.
void start_from_folder(std::vector<std::string>& arguments, const std::string& program,
                       const std::vector<Preset>& presets) {
  const CommandLine asked = first_reading(arguments, program, presets);
  if (asked.command.name == "train") return;
  for (const std::string& a : arguments)
    if (a.rfind("--config", 0) == 0) return;
  const std::filesystem::path file = std::filesystem::path(folder_of(asked.config, program)) / "config.toml";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return;
  arguments.push_back("--config");
  arguments.push_back(file.string());
  if (asked.config.out.empty()) {  // a folder that was moved is still itself
    arguments.push_back("--out");
    arguments.push_back(file.parent_path().string());
  }
}

CommandLine parse_arguments(const std::vector<std::string>& arguments, const std::string& program,
                            const std::string& description, const std::vector<Preset>& presets) {
  CommandLine result;
  RunConfig& config = result.config;
  const std::string asked = first_reading(arguments, program, presets).config.preset;
  const auto chosen = std::find_if(presets.begin(), presets.end(), [&](auto& p) { return p.name == asked; });
  const Preset& start = chosen != presets.end() ? *chosen : presets.front();
  config = start.config;
  config.preset = start.name;
  CLI::App app(description, program);
  app.footer(option_footer(presets));
  bind_config(app, config, presets);
  bind_command(app, result.command);
  try {
    app.parse(reversed(arguments));
  } catch (const CLI::CallForHelp& help) {
    result.exit_code = app.exit(help);
    return result;
  } catch (const CLI::ParseError& error) {
    result.error = error.what();
    result.exit_code = 2;
    return result;
  }
  settle_optimizer(app, config);
  // Commands on a trained model take no training step, so its executor need not exist on this device.
  if (result.command.name != "train") config.executor = RunConfig().executor;
  config.out = folder_of(config, program);
  return result;
}

}  // namespace

CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  start_from_folder(arguments, program, presets);
  const CommandLine line = parse_arguments(arguments, program, description, presets);
  if (!line.error.empty()) std::fprintf(stderr, "%s: %s (see --help)\n", program.c_str(), line.error.c_str());
  return line;
}

RunConfig read_config(const std::string& path, const std::string& program,
                      const std::vector<Preset>& presets) {
  const CommandLine line = parse_arguments({"--config", path}, program, "", presets);
  check(line.exit_code < 0, "config", "{} is not a configuration of {}: {}", path, program, line.error);
  return line.config;
}

std::string to_toml(const RunConfig& config, const std::string& program) {
  CLI::App app("", program);
  RunConfig copy = config;
  bind_config(app, copy, {});
  return fmt::format("# Repeat this run: {} --config <this file>\n{}", program,
                     app.config_to_str(true, true));
}

}  // namespace gpuvae::apps
