#include "apps/cli/parser.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace gpuvae::apps {
namespace {

constexpr std::size_t kFlagColumn = 34, kHelpColumn = 76;  // characters

// A flag may have a value: --standardize=false.
std::string flag_mistake(const std::string& text) {
  bool ignored = false;
  return CLI::detail::lexical_cast(text, ignored) ? "" : "expected true or false, got " + text;
}

// A path that is given must not be empty, which is what an unset variable of a shell becomes.

// Throws CLI::ValidationError if a flag is given twice, because one of its values would be ignored.
void check_given_once(const std::vector<std::string>& arguments) {
  std::set<std::string> seen;
  for (const std::string& argument : arguments) {
    if (!argument.starts_with("--")) continue;
    const std::string flag = argument.substr(0, argument.find('='));
    if (!seen.insert(flag).second)
      throw CLI::ValidationError(flag, "expected this flag once, got it several times");
  }
}

// Wraps `help` to lines that fit beside the flags.
std::string wrapped(const std::string& help) {
  std::istringstream words(help);
  std::string text;
  std::size_t used = 0;
  for (std::string word; words >> word; used += word.size()) {
    const bool fits = used + 1 + word.size() <= kHelpColumn;
    if (!text.empty()) text += fits ? ' ' : '\n';
    used = text.empty() || !fits ? 0 : used + 1;
    text += word;
  }
  return text;
}

}  // namespace

SettingsParser::SettingsParser(const std::string& description, const std::string& program,
                               const RunConfig& defaults)
    : app_(description, program), scratch_(defaults) {
  app_.get_formatter()->column_width(kFlagColumn);
  for (const SettingGroup& group : settings(scratch_))
    for (const Setting& setting : group.settings) add(setting, group.name);
}

void SettingsParser::add(const Setting& setting, const std::string& group) {
  const std::string& flag = setting.flag;
  CLI::Option* option = nullptr;
  if (setting.variable.type.empty()) {
    option = app_.add_flag_function(
        flag, [this, flag](std::int64_t count) { texts_[flag] = count > 0 ? "true" : "false"; },
        wrapped(setting.help));
    option->check(flag_mistake);
  } else if (setting.variable.several) {
    option = app_.add_option_function<std::vector<std::string>>(
        flag,
        [this, flag](const std::vector<std::string>& values) {
          texts_[flag] = fmt::format("{}", fmt::join(values, "\n"));
        },
        wrapped(setting.help));
    option->type_name(setting.variable.type)->group(group);
    return;
  } else {
    option = app_.add_option_function<std::string>(
        flag, [this, flag](const std::string& text) { texts_[flag] = text; }, wrapped(setting.help));
    if (setting.is_path())
      option->check(
          [](const std::string& text) { return text.empty() ? "expected a path, got nothing" : ""; });
    option->check(setting.variable.assign)->type_name(setting.variable.type)->run_callback_for_default();
  }
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->default_str(text_of(setting.variable.value()))
      ->group(group);
}

void SettingsParser::parse(std::vector<std::string> arguments) {
  check_given_once(arguments);
  std::reverse(arguments.begin(), arguments.end());  // the order that CLI11 expects
  app_.parse(std::move(arguments));
}

}  // namespace gpuvae::apps
