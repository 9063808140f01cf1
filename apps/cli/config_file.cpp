#include "apps/cli/config_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSpaces = " \t\r";

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpaces) - first + 1));
}

// Reads the value of one line from its first character on. Throws std::invalid_argument with the mistake.
class ValueReader {
 public:
  explicit ValueReader(std::string_view text) : text_(text) {}

  std::string read() {
    std::string value = read_value();
    const std::string rest = trimmed(text_.substr(at_));
    if (!rest.empty() && rest[0] != '#') mistake("expected the end of the line after the value, got " + rest);
    return value;
  }

 private:
  [[noreturn]] static void mistake(const std::string& text) { throw std::invalid_argument(text); }

  std::string read_value() {
    if (at_ == text_.size()) mistake("expected a value, got nothing");
    const char first = text_[at_];
    if (first == '"' || first == '\'') return read_quoted(first);
    if (first == '[') return read_list();
    const std::size_t end = std::min(text_.find('#'), text_.size());
    const std::string word = trimmed(text_.substr(0, end));
    if (word.empty()) mistake("expected a value, got nothing");
    at_ = end;
    return word;
  }

  std::string read_quoted(char quote) {
    std::string value;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return value;
      }
      value += quote == '"' && text_[at_] == '\\' ? escaped() : text_[at_];
    }
    mistake(fmt::format("expected {} at the end of the value, got the end of the line", quote));
  }

  char escaped() {
    constexpr std::string_view kLetters = "\"\\tnr", kCharacters = "\"\\\t\n\r";
    const std::size_t found = ++at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
    if (found == std::string_view::npos) mistake("expected \\\", \\\\, \\t, \\n or \\r in \"...\"");
    return kCharacters[found];
  }

  // Lists hold layer widths. They are returned with commas between them, as on the command line.
  std::string read_list() {
    const std::size_t end = text_.find(']');
    if (end == std::string_view::npos) mistake("expected ] at the end of the list, got the end of the line");
    std::istringstream parts{std::string(text_.substr(1, end - 1))};
    std::string list;
    for (std::string part; std::getline(parts, part, ',');) {
      const std::string number = trimmed(part);
      if (number.empty()) continue;
      list += (list.empty() ? "" : ",") + number;
    }
    at_ = end + 1;
    return list;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Returns the setting of a line as flag and text, or nothing for a blank line or a comment. Throws
// std::invalid_argument.
std::optional<std::pair<std::string, std::string>> parse_line(const std::string& line) {
  const std::string text = trimmed(line);
  if (text.empty() || text[0] == '#') return std::nullopt;
  if (text[0] == '[') throw std::invalid_argument("expected key = value, got a section");
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) throw std::invalid_argument("expected key = value, got " + text);
  const std::string key = trimmed(std::string_view(text).substr(0, equals));
  return std::pair("--" + key, ValueReader(trimmed(std::string_view(text).substr(equals + 1))).read());
}

// Returns a string in the notation of TOML.
std::string toml_quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    constexpr std::string_view kCharacters = "\"\\\t\n\r", kLetters = "\"\\tnr";
    const std::size_t found = kCharacters.find(c);
    if (found != std::string_view::npos) result += '\\';
    result += found == std::string_view::npos ? c : kLetters[found];
  }
  return result + '"';
}

bool is_text(const SettingValue& value) {
  return std::holds_alternative<std::string>(value) ||
         std::holds_alternative<std::vector<std::int64_t>>(value);
}

// Whether a setting belongs to the description of a model. The others depend on the machine or the session.
bool describes_model(const std::string& flag) {
  static const std::set<std::string> kOthers = {"--out",      "--device",    "--executor",
                                                "--data-dir", "--log-every", "--checkpoint-every"};
  return !kOthers.contains(flag);
}

std::string text_of_json(const std::string& where, const std::string& key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (value.is_boolean() || value.is_number()) return value.dump();
  const auto require = [&](bool condition, const Json& got) {
    check(condition, file_error("load"),
          "{}: expected a text, a number, true, false or a list of whole numbers as setting {}, got {}",
          where, io::printable(key), got.type_name());
  };
  require(value.is_array(), value);
  std::string list;
  for (const Json& element : value) {
    require(element.is_number_integer(), element);
    list += (list.empty() ? "" : ",") + element.dump();
  }
  return list;
}

}  // namespace

Texts read_config_texts(const std::string& path, const std::string& program) {
  std::istringstream in(io::read_file(path));
  Texts texts;
  int number = 0;
  const auto refuse = [&](const std::string& mistake) {
    fail(file_error("config"), "{} is not a configuration of {}: line {}: {}", path, program, number,
         io::printable(mistake));
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    try {
      const auto setting = parse_line(line);
      if (!setting) continue;
      if (!texts.insert(*setting).second) refuse(setting->first.substr(2) + " is there twice");
      if (const std::string mistake = mistake_in({*setting}); !mistake.empty()) refuse(mistake);
    } catch (const std::invalid_argument& mistake) {
      refuse(mistake.what());
    }
  }
  return texts;
}

std::string to_toml(const RunConfig& config, const std::string& program) {
  RunConfig copy = config;
  std::string text = fmt::format("{}{} --config <this file>\n", kConfigMark, program);
  for (const SettingGroup& group : settings(copy)) {
    text += fmt::format("\n# {}\n", group.name);
    for (const Setting& setting : group.settings) {
      const SettingValue value = setting.variable.value();
      text += fmt::format("# {}\n{}={}\n", setting.help, setting.flag.substr(2),
                          is_text(value) ? toml_quoted(text_of(value)) : text_of(value));
    }
  }
  return text;
}

std::string settings_json(const RunConfig& config) {
  Json json = Json::object();
  for (const ValueGroup& group : values_of(config))
    for (const NamedValue& v : group.values)
      if (describes_model(v.flag))
        std::visit([&](const auto& value) { json[v.flag.substr(2)] = value; }, v.value);
  return json.dump();
}

Texts texts_of_settings_json(const std::string& json, const std::string& where) try {
  const Json parsed = Json::parse(json);
  check(parsed.is_object(), file_error("load"), "{}: expected settings as a JSON object, got {}", where,
        parsed.type_name());
  Texts texts;
  for (const auto& [key, value] : parsed.items()) texts["--" + key] = text_of_json(where, key, value);
  if (const std::string mistake = mistake_in(texts); !mistake.empty())
    fail(file_error("load"), "{}: expected settings of this version, got {}", where, mistake);
  return texts;
} catch (const Json::exception& error) {
  fail(file_error("load"), "{}: expected settings as JSON, got {}", where, io::printable(error.what()));
}

}  // namespace gpuvae::apps
