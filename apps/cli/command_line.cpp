#include "apps/cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/cli/config_file.h"
#include "apps/cli/parser.h"
#include "apps/cli/text.h"
#include "gpuvae/error.h"
#include "src/data/counted.h"
#include "src/io/safetensors.h"
#include "src/train/model_file.h"

namespace gpuvae::apps {
namespace {

const std::string* find(const Texts& texts, const std::string& flag) {
  const auto found = texts.find(flag);
  return found == texts.end() ? nullptr : &found->second;
}

// If --optimizer is given, sets this optimiser's settings to its usual values, except those that were given.
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
  if (config.schedule.final_rate > config.optimizer.learning_rate)
    throw CLI::ValidationError("--lr-final",
                               fmt::format("expected at most the learning rate {}, got {}",
                                           config.optimizer.learning_rate, config.schedule.final_rate));
  if (config.out.empty()) config.out = default_folder(program, config.preset);
  return config;
}

// Reads the settings of a file. Throws Error if they are not a valid configuration, for example because the
// preset does not exist.
Texts texts_of_file(const std::string& path, const std::string& program, const std::vector<Preset>& presets) {
  Texts texts = read_config_texts(path, program);
  static_cast<void>(config_of_texts(texts, path, program, presets));
  return texts;
}

// Returns the settings in the metadata of a folder's model. Returns none if there is no model, or if the
// model is older or damaged, which the session reports.
Texts texts_of_model(const std::filesystem::path& folder) try {
  const std::filesystem::path file = folder / "model.safetensors";
  const auto metadata = io::read_safetensors_metadata(file);
  const auto found = metadata.find(kSettingsKey);
  return found == metadata.end() ? Texts{} : texts_of_settings_json(found->second, file.string());
} catch (const Error&) {
  return {};
}

// Commands on a trained model start from the settings of its folder: those of config.toml, or else those of
// the model. The flag --out gets the present name of the folder, which may have been renamed. The number of
// epochs is that of the model, because config.toml may already be that of a longer run; --resume keeps the
// number in config.toml.
Texts texts_of_folder(const Texts& given, bool resume, const std::string& program,
                      const std::vector<Preset>& presets) {
  const std::string* out = find(given, "--out");
  const std::filesystem::path folder =
      out && !out->empty() ? *out : default_folder(program, preset_of(given, presets).name);
  const std::filesystem::path file = folder / "config.toml";
  std::error_code ignored;
  const Texts of_model = texts_of_model(folder);
  Texts texts =
      std::filesystem::exists(file, ignored) ? texts_of_file(file.string(), program, presets) : of_model;
  if (texts.empty()) return {};
  const std::string* epochs = find(of_model, "--epochs");
  if (epochs && !resume) texts["--epochs"] = *epochs;
  texts["--out"] = folder.string();
  return texts;
}

std::string message_of(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (!dynamic_cast<const CLI::ArgumentMismatch*>(&error)) return text;
  return text.substr(0, text.find(':')) +
         ": expected a value, got none";  // CLI11 says "1 required N missing"
}

// Returns the command line, quoted for a shell.
std::string command_text(int argc, char** argv) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
  std::string text;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    text += i > 0 ? " " : "";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  }
  return text;
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

// Throws CLI::ValidationError if --latent-names is on the command line with a wrong number of names. The
// names of a preset or a file may be fewer or more than the dimensions that --latent sets.
void check_latent_names(const Texts& given, const RunConfig& config) {
  const std::string* names = find(given, "--latent-names");
  if (!names || names->empty()) return;
  const std::vector<std::string> parts = parts_of(*names, ',');
  const std::int64_t got = std::ssize(parts);
  if (std::ranges::count(parts, "") > 0)
    throw CLI::ValidationError("--latent-names", "expected a name for every latent dimension, got " + *names);
  if (got != config.model.latent)
    throw CLI::ValidationError("--latent-names",
                               fmt::format("expected {} for the latent dimensions, got {} in {}",
                                           counted(config.model.latent, "name"), got, *names));
}

// Parses the command line. Throws CLI::ParseError.
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
  if (!line.command.folder.empty()) {
    if (find(given, "--out"))
      throw CLI::ValidationError("folder", "expected either a folder or --out, got both");
    given["--out"] = line.command.folder;
  }
  line.given = given;
  if (!line.command.config_file.empty())
    given.merge(
        texts_of_file(line.command.config_file, program, presets));  // keeps what the command line gave
  else if ((line.command.name != "train" && line.command.name != "sweep") || line.command.resume)
    given.merge(texts_of_folder(given, line.command.resume, program, presets));
  line.config = configuration(given, program, presets);
  check_latent_names(parser.texts(), line.config);
  line.texts = std::move(given);
  // Commands on a trained model take no training step, so its executor need not exist on this device.
  if (line.command.name != "train") line.config.training.executor = Executor::automatic;
  return line;
}

}  // namespace

CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets) {
  CommandLine line;
  try {
    line = parse_arguments({argv + 1, argv + argc}, program, description, presets);
  } catch (const CLI::ParseError& error) {
    line.exit_code = 2;
    line.error = message_of(error);
    std::fprintf(stderr, "%s: %s (see --help)\n", program.c_str(), one_line(line.error).c_str());
  } catch (const Error& error) {
    line.exit_code = 2;
    line.error = error.what();
    std::fprintf(stderr, "%s: %s\n", program.c_str(), one_line(line.error).c_str());
  }
  line.command.text = command_text(argc, argv);
  return line;
}

RunConfig read_config(const std::string& path, const std::string& program,
                      const std::vector<Preset>& presets) {
  return config_of_texts(read_config_texts(path, program), path, program, presets);
}

RunConfig config_of_texts(const Texts& texts, const std::string& where, const std::string& program,
                          const std::vector<Preset>& presets) {
  try {
    return configuration(texts, program, presets);
  } catch (const CLI::ParseError& error) {
    throw Error("config", fmt::format("{} is not a configuration of {}: {}", where, program, error.what()),
                ErrorKind::io);
  }
}

}  // namespace gpuvae::apps
