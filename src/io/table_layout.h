// The layout of a text table: separator, header and row names, which are determined from its first lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gpuvae::io {

// The characters that may separate the columns of a table, in the order in which they are tried.
inline constexpr std::string_view kSeparators = "\t;,| ";

enum class TableHeader {
  // Line 1 holds names if it has text above numbers, or if it is 0, 1, 2, ..., as pandas writes it, above
  // rows that do not count. A doubtful case is an error.
  automatic,
  yes,
  no,
  by_text,  // line 1 holds names if any of its cells is text
};

struct TableLine {
  std::int64_t number = 0;  // in the file, counted from 1
  std::string text = {};
};

struct TableLayout {
  char separator = ',';
  bool has_names = false;      // the first line holds names
  bool has_row_names = false;  // rows begin with a name that the header lacks, as R writes them
  bool empty_last = false;     // every line ends with a separator, so that the last cell is always empty
  // One per cell of a row; "" for row names; "0", "1", ... without a header.
  std::vector<std::string> names = {};
  std::string summary = {};  // the separator and the header that were found, as a part of a sentence
  std::vector<std::string> notes = {};
};

// Determines the layout from the first lines of a file, which exclude blank lines and comments. There must be
// at least one line. A first line that holds all of `expected_names` is a header. Throws Error "[read] path:
// reason".
TableLayout find_layout(const std::string& path, const std::vector<TableLine>& lines, TableHeader header,
                        const std::vector<std::string>& expected_names);

}  // namespace gpuvae::io
