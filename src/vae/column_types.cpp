#include "src/vae/column_types.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "src/io/printable.h"

namespace gpuvae {
namespace {

// The largest number of columns of a table.
constexpr std::int64_t kMaxColumns = std::int64_t{1} << 22;

std::vector<std::string> parts_of(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Item {
  std::string type, columns;  // before and after the colon
};

std::vector<Item> items_of(const std::string& text, Origin origin) {
  std::vector<Item> items;
  for (const std::string& part : parts_of(text, ',')) {
    const std::size_t colon = part.find(':');
    check(colon != std::string::npos && colon + 1 < part.size(), origin,
          "expected TYPE:COLUMNS,... as column types, such as bernoulli:3,gaussian:5, got {}",
          io::printable(text));
    items.push_back({part.substr(0, colon), part.substr(colon + 1)});
    check(std::ranges::find(column_type_names(), items.back().type) != column_type_names().end(), origin,
          "expected one of {} as the type of columns, got {}", fmt::join(column_type_names(), ", "),
          io::printable(items.back().type));
  }
  return items;
}

std::size_t column_named(const std::string& name, const std::vector<std::string>& names, Origin origin) {
  const auto found = std::ranges::find(names, name);
  check(found != names.end(), origin, "expected names of the table's columns, got {}", io::printable(name));
  return static_cast<std::size_t>(found - names.begin());
}

// A column's type, and whether it continues the categorical variable of the column before it.
struct OneColumn {
  std::string type;
  bool continues = false;
};

// Appends the columns, each of which has a type, as blocks of columns with the same type.
std::vector<ColumnType> blocks_of(const std::vector<OneColumn>& columns) {
  std::vector<ColumnType> types;
  for (const OneColumn& c : columns) {
    const bool joins =
        c.continues || (!types.empty() && types.back().type == c.type && c.type != "categorical");
    if (joins)
      ++types.back().columns;
    else
      types.push_back({c.type, 1});
  }
  return types;
}

}  // namespace

const std::vector<std::string>& column_type_names() {
  static const std::vector<std::string> names = {"bernoulli",
                                                 "continuous-bernoulli",
                                                 "gaussian",
                                                 "laplace",
                                                 "poisson",
                                                 "negative-binomial",
                                                 "zero-inflated-negative-binomial",
                                                 "categorical",
                                                 "library"};
  return names;
}

std::vector<ColumnType> parse_column_types(const std::string& text, Origin origin) {
  std::vector<ColumnType> types;
  std::int64_t total = 0;
  for (const Item& item : items_of(text, origin)) {
    const std::int64_t columns = whole_number(item.columns).value_or(0);
    check(columns >= 1 && columns <= kMaxColumns - total, origin,
          "expected numbers of columns of 1 or more, at most {} in total, got {}", kMaxColumns,
          io::printable(item.columns));
    total += columns;
    types.push_back({item.type, columns});
  }
  return types;
}

std::string column_types_text(const std::vector<ColumnType>& types) {
  std::string text;
  for (const ColumnType& t : types)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", t.type, t.columns);
  return text;
}

std::string numbered_column_types(const std::string& text, const std::vector<std::string>& names,
                                  Origin origin) {
  const std::vector<Item> items = items_of(text, origin);
  if (std::ranges::all_of(items, [](const Item& i) { return whole_number(i.columns).has_value(); }))
    return text;
  std::vector<OneColumn> columns(names.size());
  for (const Item& item : items) {
    std::size_t before = names.size();
    for (const std::string& name : parts_of(item.columns, '+')) {
      const std::size_t c = column_named(name, names, origin);
      check(columns[c].type.empty(), origin, "expected one type per column, got two for {}",
            io::printable(name));
      const bool continues = item.type == "categorical" && before != names.size();
      check(!continues || c == before + 1, origin,
            "expected the columns of a categorical variable to be neighbours in the table, got {}",
            io::printable(item.columns));
      columns[c] = {item.type, continues};
      before = c;
    }
  }
  const auto missing = std::ranges::find_if(columns, [](const OneColumn& c) { return c.type.empty(); });
  check(missing == columns.end(), origin, "expected a type for each column, got none for {}",
        io::printable(missing == columns.end() ? ""
                                               : names[static_cast<std::size_t>(missing - columns.begin())]));
  return column_types_text(blocks_of(columns));
}

std::string column_types_with_library(const std::string& type, const std::string& library,
                                      const std::vector<std::string>& names, std::int64_t columns,
                                      Origin origin) {
  const auto named = std::ranges::find(names, library);
  const std::int64_t column =
      named != names.end() ? named - names.begin() : whole_number(library).value_or(-1);
  check(column >= 0 && column < columns && columns >= 2, origin,
        "expected the name or the number (from 0) of one of several columns as the library size, got {}",
        io::printable(library));
  std::vector<OneColumn> types(static_cast<std::size_t>(columns), OneColumn{type});
  types[static_cast<std::size_t>(column)].type = "library";
  return column_types_text(blocks_of(types));
}

std::int64_t library_column(const std::vector<ColumnType>& types) {
  std::int64_t column = 0;
  for (const ColumnType& t : types) {
    if (t.type == "library") return column;
    column += t.columns;
  }
  return -1;
}

}  // namespace gpuvae
