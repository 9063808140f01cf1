#include "apps/cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/cli/parser.h"
#include "gpuvae/error.h"

namespace gpuvae::apps {
namespace {

const std::string* find(const Texts& texts, const std::string& flag) {
  const auto found = texts.find(flag);
  return found == texts.end() ? nullptr : &found->second;
}

// The optimiser's usual values for its settings, unless they were given.
void settle_optimizer(const Texts& given, RunConfig& c) {
  if (!find(given, "--optimizer")) return;
  const OptimizerOptions usual = OptimizerOptions::defaults(c.optimizer.kind);
  const auto settle = [&](const char* flag, double OptimizerOptions::*field) {
    if (!find(given, flag)) c.optimizer.*field = usual.*field;
  };
  settle("--learning-rate", &OptimizerOptions::learning_rate);
  settle("--beta1", &OptimizerOptions::beta1);
  settle("--beta2", &OptimizerOptions::beta2);
  settle("--epsilon", &OptimizerOptions::epsilon);
  settle("--l2", &OptimizerOptions::l2);
}

// The preset that the texts name, or else the first. Throws CLI::ValidationError for an unknown name.
const Preset& preset_of(const Texts& given, const std::vector<Preset>& presets) {
  const std::string* name = find(given, "--preset");
  if (!name) return presets.front();
  const auto found = std::find_if(presets.begin(), presets.end(), [&](auto& p) { return p.name == *name; });
  if (found != presets.end()) return *found;
  std::string names;
  for (const Preset& p : presets) names += (names.empty() ? "" : ", ") + p.name;
  throw CLI::ValidationError("--preset", fmt::format("expected one of {}, got {}", names, *name));
}

std::string default_folder(const std::string& program, const std::string& preset) {
  return "runs/" + program + "-" + preset;
}

// The preset's configuration with the texts applied.
RunConfig configuration(const Texts& given, const std::string& program, const std::vector<Preset>& presets) {
  const Preset& preset = preset_of(given, presets);
  RunConfig config = preset.config;
  config.preset = preset.name;
  for (const SettingGroup& group : settings(config)) assign_texts(given, group.settings);
  settle_optimizer(given, config);
  if (config.out.empty()) config.out = default_folder(program, config.preset);
  return config;
}

Texts texts_of_file(const std::string& path, const std::string& program) {
  SettingsParser parser("", program, RunConfig());
  parser.app().set_config("--config");
  parser.parse({"--config", path});
  return parser.texts();
}

// Commands on a trained model start from its run's configuration, under whatever name its folder has now.
Texts texts_of_folder(const Texts& given, const std::string& program, const std::vector<Preset>& presets) {
  const std::string* out = find(given, "--out");
  const std::filesystem::path folder =
      out && !out->empty() ? *out : default_folder(program, preset_of(given, presets).name);
  const std::filesystem::path file = folder / "config.toml";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  Texts texts = texts_of_file(file.string(), program);
  texts["--out"] = folder.string();
  return texts;
}

std::string message_of(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (!dynamic_cast<const CLI::ArgumentMismatch*>(&error)) return text;
  return text.substr(0, text.find(':')) +
         ": expected a value, got none";  // CLI11 says "1 required N missing"
}

void add_command(SettingsParser& parser, Command& command) {
  for (const Setting& setting : command_settings(command))
    parser.add(setting, setting.flag == "--config" ? "Run" : "Command");
}

std::string help_text(const Texts& given, const std::string& program, const std::string& description,
                      const std::vector<Preset>& presets) {
  RunConfig shown = preset_of(given, presets).config;
  shown.preset = preset_of(given, presets).name;
  SettingsParser parser(description, program, shown);
  Command command;
  add_command(parser, command);
  parser.app().footer(help_footer(presets));
  return parser.app().help();
}

// The only parse of the command line. Throws CLI::ParseError.
CommandLine parse_arguments(const std::vector<std::string>& arguments, const std::string& program,
                            const std::string& description, const std::vector<Preset>& presets) {
  CommandLine line;
  Command checked;
  SettingsParser parser("", program, RunConfig());
  add_command(parser, checked);
  try {
    parser.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    std::fputs(help_text(parser.texts(), program, description, presets).c_str(), stdout);
    line.exit_code = 0;
    return line;
  }
  Texts given = parser.texts();
  assign_texts(given, command_settings(line.command));
  if (!line.command.config_file.empty())
    given.merge(texts_of_file(line.command.config_file, program));  // keeps what the command line gave
  else if (line.command.name != "train")
    given.merge(texts_of_folder(given, program, presets));
  line.config = configuration(given, program, presets);
  // Commands on a trained model take no training step, so its executor need not exist on this device.
  if (line.command.name != "train") line.config.training.executor = Executor::automatic;
  return line;
}

}  // namespace

CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets) {
  try {
    return parse_arguments({argv + 1, argv + argc}, program, description, presets);
  } catch (const CLI::ParseError& error) {
    CommandLine line;
    line.exit_code = 2;
    line.error = message_of(error);
    std::fprintf(stderr, "%s: %s (see --help)\n", program.c_str(), line.error.c_str());
    return line;
  }
}

RunConfig read_config(const std::string& path, const std::string& program,
                      const std::vector<Preset>& presets) {
  try {
    return configuration(texts_of_file(path, program), program, presets);
  } catch (const CLI::ParseError& error) {
    throw Error("config", fmt::format("{} is not a configuration of {}: {}", path, program, error.what()));
  }
}

std::string to_toml(const RunConfig& config, const std::string& program) {
  SettingsParser parser("", program, config);
  return fmt::format("# Repeat this run: {} --config <this file>\n{}", program,
                     parser.app().config_to_str(true, true));
}

}  // namespace gpuvae::apps
