// The settings of a run, in the order of the help and of config.toml.
#pragma once

#include <map>
#include <optional>

#include "apps/cli/command_line.h"
#include "apps/cli/setting.h"

namespace gpuvae::apps {

using Texts = std::map<std::string, std::string>;  // by flag: {"--epochs", "3"}

// Sets the settings that the texts name.
void assign_texts(const Texts& texts, const std::vector<Setting>& settings);
// Returns the first mistake in the texts of a configuration, such as "epochs: expected a whole number, got
// many" or "speed: expected the name of a setting"; or an empty string.
std::string mistake_in(const Texts& texts);

// Returns all settings. They refer to `config`, which must outlive them.
std::vector<SettingGroup> settings(RunConfig& config);

// The settings of each group. They are defined in settings_run.cpp (run, data), settings_model.cpp (model,
// loss), settings_optimizer.cpp and settings_pictures.cpp.
std::vector<Setting> run_settings(RunConfig& config);
std::vector<Setting> data_settings(RunConfig& config);
std::vector<Setting> model_settings(RunConfig& config);
std::vector<Setting> loss_settings(RunConfig& config);
std::vector<Setting> optimizer_settings(RunConfig& config);
std::vector<Setting> picture_settings(RunConfig& config);

// The command and its flags, which are not part of the configuration, and the end of the help, which explains
// defaults and lists commands and presets.
std::vector<Setting> command_settings(Command& command);
std::string help_footer(const std::vector<Preset>& presets);

// The values of a configuration, group by group.
struct NamedValue {
  std::string flag;
  SettingValue value;
  bool decides_weights;
};
struct ValueGroup {
  std::string name;
  std::vector<NamedValue> values;
};
std::vector<ValueGroup> values_of(const RunConfig& config);

// Whether both train the same model on the same data, except for the number of epochs. With the cosine
// schedule, the number of epochs must be the same too, because every step's learning rate depends on it.
bool same_training(const RunConfig& a, const RunConfig& b);

// A setting in which two runs differ, with its value in each run: {"--hidden", "16", "33"}.
struct Difference {
  std::string flag, a, b;
};
// Returns the first setting that makes two runs train different models (see same_training).
std::optional<Difference> training_difference(const RunConfig& a, const RunConfig& b);
// Returns the first setting that makes two runs different: the preset, the number of epochs, or a setting
// that decides the weights.
std::optional<Difference> first_difference(const RunConfig& a, const RunConfig& b);

}  // namespace gpuvae::apps
