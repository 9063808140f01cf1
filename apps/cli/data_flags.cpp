#include "apps/cli/data_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "src/io/printable.h"
#include "src/io/table_cells.h"

namespace gpuvae::apps {
namespace {

template <class Parse>
std::string mistake(const std::string& text, Parse&& parse) {
  try {
    static_cast<void>(parse(text));
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

}  // namespace

std::vector<std::string> parse_columns(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> names;
  const bool sound = io::split_cells(text, ',', names);
  if (!sound || std::ranges::count(names, "") > 0)
    throw std::invalid_argument("expected names of columns separated by commas, got " + io::printable(text));
  return names;
}

std::optional<std::uint64_t> parse_seed(const std::string& text) {
  if (text.empty()) return {};
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("expected a whole number of 0 or more, below 2^64, got " +
                                io::printable(text));
  return seed;
}

std::string seed_mistake(const std::string& text) { return mistake(text, parse_seed); }

std::string columns_mistake(const std::string& text) { return mistake(text, parse_columns); }

std::optional<std::array<double, 2>> parse_value_range(const std::string& text) {
  if (text.empty()) return {};
  const std::size_t colon = text.find(':');
  std::array<double, 2> range{};
  const auto is_number = [](const std::string& part, double& value) {
    return io::parse_number(part, value) == io::Cell::number && std::isfinite(value);
  };
  if (colon == std::string::npos || !is_number(text.substr(0, colon), range[0]) ||
      !is_number(text.substr(colon + 1), range[1]) || !(range[0] < range[1]))
    throw std::invalid_argument("expected LOW:HIGH, two numbers with LOW below HIGH, got " +
                                io::printable(text));
  return range;
}

std::string value_range_mistake(const std::string& text) { return mistake(text, parse_value_range); }

}  // namespace gpuvae::apps
