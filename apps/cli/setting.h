// A setting of a run: a flag of the programs and, under the same name, a key of config.toml. Each setting
// refers to the variable that it sets, so that the command line, configuration files, reports and comparisons
// of runs share one list (settings.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace gpuvae::apps {

using SettingValue =
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<std::int64_t>>;
// Formats a value as in config.toml: numbers with all their digits, widths as "512,256".
std::string text_of(const SettingValue& value);

// How to get the value of a variable, and how to set it from text.
struct Binding {
  std::function<SettingValue()> value;
  // Returns an empty string, or "expected X, got Y" for a text that does not fit.
  std::function<std::string(const std::string& text)> assign;
  std::string type = {};  // of the value in the help, "N" or "adam|sgd"; empty: a flag without a value
  bool several = false;   // takes one or more values, which assign() gets with line breaks between them
};

struct Setting {
  std::string flag;  // "--epochs"
  Binding variable;
  std::string help;
  bool decides_weights = true;  // whether a change of the value changes the trained weights

  // Whether the value is a path, which must not be empty on the command line.
  bool is_path() const {
    return variable.type == "FILE" || variable.type == "FOLDER" || variable.type == "PATH";
  }
};

struct SettingGroup {
  std::string name;  // "Run"
  std::vector<Setting> settings;
};

// The numbers that a setting accepts, and how an error names them: "1 or more".
struct NumberRange {
  double low, high;
  std::string text;
};
NumberRange at_least(double low);
NumberRange above_zero();
NumberRange fraction_below_one();
NumberRange between(double low, double high);

Binding whole_number(int& variable, const NumberRange& range);
Binding whole_number(std::int64_t& variable, const NumberRange& range);
Binding whole_number(std::uint64_t& variable);
Binding number(double& variable);  // any finite number
Binding number(double& variable, const NumberRange& range);
Binding text(std::string& variable, const std::string& type,
             std::function<std::string(const std::string&)> mistake = {});
Binding texts(std::vector<std::string>& variable, const std::string& type);  // one or more
Binding widths(std::vector<std::int64_t>& variable);  // "512,256", each 1 or more; or none
Binding yes(bool& variable);
Binding no(bool& variable);  // a flag whose presence makes the variable false
Binding one_of(std::string& variable, const std::vector<std::string>& names);
// A choice between two names, of which `yes` makes the variable true.
Binding one_of(bool& variable, const std::string& yes, const std::string& no);
Binding one_of(const std::vector<std::string>& names, std::function<std::size_t()> index,
               std::function<void(std::size_t)> choose);

// A choice among the names of an enumeration, from 0 to `last`.
template <class E>
Binding choice(E& variable, E last) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.emplace_back(name(static_cast<E>(i)));
  return one_of(
      names, [&variable] { return static_cast<std::size_t>(variable); },
      [&variable](std::size_t index) { variable = static_cast<E>(index); });
}

}  // namespace gpuvae::apps
