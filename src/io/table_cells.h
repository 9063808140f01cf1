// The cells of a table's lines, and the numbers in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gpuvae::io {

enum class Cell {
  number,
  missing,  // empty, nan, NA, n/a, null, none or ?
  text,
  beyond_f64,
};

// Parses the whole of `text` as a number with a decimal point, in every locale. Numbers too small for f64
// become 0. `value` is set for Cell::number only.
Cell parse_number(std::string_view text, double& value);
Cell kind_of(std::string_view text);

// Splits a line into cells, without their quotes and the spaces around them. If `separator` is a space,
// several spaces are one separator; otherwise, spaces inside a cell belong to the cell. Returns false at an
// unterminated quote and at text after a closing quote.
bool split_cells(std::string_view line, char separator, std::vector<std::string>& cells);

// Returns the part of a line that is outside double quotes.
std::string without_quoted(std::string_view line);

// Shortens text for messages and replaces its control characters.
std::string shown(std::string_view text);

}  // namespace gpuvae::io
