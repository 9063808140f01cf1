// The parser of the command line. It only collects the text of each flag. The texts are applied later, when
// the preset that they override is known.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/cli/settings.h"

namespace gpuvae::apps {

class SettingsParser {
 public:
  // `defaults` are the values that the help shows.
  SettingsParser(const std::string& description, const std::string& program, const RunConfig& defaults);

  CLI::App& app() { return app_; }
  // Adds a flag, or an argument if its name has no dashes.
  void add(const Setting& setting, const std::string& group);
  // Throws CLI::ParseError. After CLI::CallForHelp, too, texts() holds the texts of the command line.
  void parse(std::vector<std::string> arguments);
  const Texts& texts() const { return texts_; }

 private:
  CLI::App app_;
  RunConfig scratch_;  // takes the values that are being checked
  Texts texts_;
};

}  // namespace gpuvae::apps
