// The parser of the command line, which collects texts and sets nothing: a text is applied only when the
// preset is known that it overrides.
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
  // Throws CLI::ParseError. On CLI::CallForHelp, texts() are those of the command line all the same.
  void parse(std::vector<std::string> arguments);
  const Texts& texts() const { return texts_; }

 private:
  CLI::App app_;
  RunConfig scratch_;  // takes the values that are being checked
  Texts texts_;
};

}  // namespace gpuvae::apps
