#include "apps/cli/setting.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "apps/cli/text.h"

#include "src/io/printable.h"

namespace gpuvae::apps {
namespace {

std::string expected(const std::string& what, const std::string& got) {
  return fmt::format("expected {}, got {}", what, got.empty() ? "nothing" : io::printable(got));
}

// Parses the whole text as a number.
template <class T>
std::optional<T> parse(const std::string& text) {
  T value{};
  const char *begin = text.data() + (text.starts_with('+') ? 1 : 0), *end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stopped != end || text.starts_with("+-")) return std::nullopt;
  return value;
}

template <class T>
std::string assign_whole(T& variable, const NumberRange& range, const std::string& text) {
  const std::optional<T> value = parse<T>(text);
  if (!value) return expected("a whole number", text);
  const auto real = static_cast<double>(*value);
  if (!(real >= range.low && real <= range.high)) return expected(range.text, text);
  variable = *value;
  return "";
}

template <class T>
Binding whole(T& variable, const NumberRange& range) {
  return {[&variable] { return SettingValue(static_cast<std::int64_t>(variable)); },
          [&variable, range](const std::string& text) { return assign_whole(variable, range, text); }, "N"};
}

std::string assign_widths(std::vector<std::int64_t>& variable, const std::string& text) {
  std::vector<std::int64_t> parsed;
  for (const std::string& part : parts_of(text, ',')) {
    const std::optional<std::int64_t> width = parse<std::int64_t>(part);
    if (!width || *width < 1) return expected("widths of 1 or more such as 512,256", text);
    parsed.push_back(*width);
  }
  variable = std::move(parsed);
  return "";
}

Binding flag(bool& variable, bool when_given) {
  return {[&variable, when_given] { return SettingValue(variable == when_given); },
          [&variable, when_given](const std::string& text) {
            if (text != "true" && text != "false") return expected("true or false", text);
            variable = (text == "true") == when_given;
            return std::string();
          }};
}

}  // namespace

std::string text_of(const SettingValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>>)
          return fmt::format("{}", fmt::join(v, ","));
        else
          return fmt::format("{}", v);
      },
      value);
}

NumberRange at_least(double low) { return {low, 1e300, fmt::format("{} or more", low)}; }
NumberRange above_zero() { return {1e-300, 1e300, "a number above 0"}; }
NumberRange fraction_below_one() { return {0, std::nextafter(1.0, 0.0), "0 or more and below 1"}; }
NumberRange between(double low, double high) { return {low, high, fmt::format("{} to {}", low, high)}; }

Binding whole_number(int& variable, const NumberRange& range) { return whole(variable, range); }
Binding whole_number(std::int64_t& variable, const NumberRange& range) { return whole(variable, range); }
Binding whole_number(std::uint64_t& variable) {
  return {[&variable] { return SettingValue(variable); },
          [&variable](const std::string& text) {
            const std::optional<std::uint64_t> value = parse<std::uint64_t>(text);
            if (!value) return expected("a whole number of 0 or more", text);
            variable = *value;
            return std::string();
          },
          "N"};
}

Binding number(double& variable) { return number(variable, {-1e300, 1e300, "a finite number"}); }
Binding number(double& variable, const NumberRange& range) {
  return {[&variable] { return SettingValue(variable); },
          [&variable, range](const std::string& text) {
            const std::optional<double> value = parse<double>(text);
            if (!value) return expected("a number", text);
            if (!(*value >= range.low && *value <= range.high)) return expected(range.text, text);
            variable = *value;
            return std::string();
          },
          "X"};
}

Binding text(std::string& variable, const std::string& type,
             std::function<std::string(const std::string&)> mistake) {
  return {[&variable] { return SettingValue(variable); },
          [&variable, mistake](const std::string& text) {
            std::string wrong = mistake ? mistake(text) : "";
            if (wrong.empty()) variable = text;
            return wrong;
          },
          type};
}

Binding texts(std::vector<std::string>& variable, const std::string& type) {
  return {[&variable] { return SettingValue(fmt::format("{}", fmt::join(variable, "\n"))); },
          [&variable](const std::string& text) {
            variable = parts_of(text, '\n');
            return std::string();
          },
          type, true};
}

Binding widths(std::vector<std::int64_t>& variable) {
  return {[&variable] { return SettingValue(variable); },
          [&variable](const std::string& text) { return assign_widths(variable, text); }, "N,N,..."};
}

Binding yes(bool& variable) { return flag(variable, true); }
Binding no(bool& variable) { return flag(variable, false); }

Binding one_of(const std::vector<std::string>& names, std::function<std::size_t()> index,
               std::function<void(std::size_t)> choose) {
  return {[names, index] { return SettingValue(names[index()]); },
          [names, choose](const std::string& text) {
            const auto found = std::find(names.begin(), names.end(), text);
            if (found == names.end()) return expected(fmt::format("one of {}", fmt::join(names, ", ")), text);
            choose(static_cast<std::size_t>(found - names.begin()));
            return std::string();
          },
          fmt::format("{}", fmt::join(names, "|"))};
}

Binding one_of(std::string& variable, const std::vector<std::string>& names) {
  Binding binding = one_of(names, {}, [&variable, names](std::size_t index) { variable = names[index]; });
  binding.value = [&variable] { return SettingValue(variable); };
  return binding;
}

Binding one_of(bool& variable, const std::string& yes, const std::string& no) {
  return one_of(
      {yes, no}, [&variable] { return std::size_t{variable ? 0u : 1u}; },
      [&variable](std::size_t index) { variable = index == 0; });
}

}  // namespace gpuvae::apps
