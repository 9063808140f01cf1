// Configurations as text: config.toml, and the settings that a model file carries.
#pragma once

#include <string>

#include "apps/cli/settings.h"

namespace gpuvae::apps {

// The settings of a file of `program`, one `key = value` per line as in TOML: numbers, true and false,
// strings in "..." or '...', lists of numbers in [...], and words without quotes. `#` begins a comment, but
// not inside quotes. Throws Error that names the file and the line.
Texts read_config_texts(const std::string& path, const std::string& program);

// The configuration as TOML, for --config.
std::string to_toml(const RunConfig& config, const std::string& program);

// The first words of every config.toml, by which the programs recognise their own files.
inline constexpr const char* kConfigMark = "# Repeat this run: ";

// The settings that describe a model and its training as a JSON object, {"latent": 2, ...}. It leaves out
// where and how a run was made, such as its folder and device.
std::string settings_json(const RunConfig& config);
// Reads what settings_json wrote. `where` names the file in errors. Throws Error.
Texts texts_of_settings_json(const std::string& json, const std::string& where);

}  // namespace gpuvae::apps
