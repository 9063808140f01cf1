// The parser of the command line and of configuration files, which collects texts and sets nothing: a text is
// applied only when the preset is known that it overrides.
#pragma once

#include <CLI/CLI.hpp>
#include <map>

#include "apps/cli/settings.h"

namespace gpuvae::apps {

using Texts = std::map<std::string, std::string>;  // by flag: {"--epochs", "3"}

// Sets what the texts name.
void assign_texts(const Texts& texts, const std::vector<Setting>& settings);

class SettingsParser {
 public:
  // `defaults` are the values that the help shows and that config_to_str() writes.
  SettingsParser(const std::string& description, const std::string& program, const RunConfig& defaults);

  CLI::App& app() { return app_; }
  // Adds a flag, or an argument if its name has no dashes.
  void add(const Setting& setting, const std::string& group);
  // Throws CLI::ParseError. On CLI::CallForHelp, texts() are those of the command line all the same.
  void parse(std::vector<std::string> arguments);
  const Texts& texts() const { return texts_; }

 private:
  CLI::App app_;
  RunConfig scratch_;  // takes the values that are being checked
  Texts texts_;
};

}  // namespace gpuvae::apps
