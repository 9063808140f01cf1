// Tables of numbers, read from text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::io {

struct Table {
  std::vector<std::string> columns;  // their names; "0", "1", ... where the file has none
  std::int64_t rows = 0;
  std::vector<float> values;  // [rows, columns], row-major
};

// Reads a table, plain or gzip. Cells are parted by tabs, else semicolons, else commas, else runs of spaces,
// whichever the first line has. The first line holds names if any cell of it is text. Lines that are blank or
// begin with '#' are skipped; names and numbers may stand in double quotes. Numbers have a decimal point
// whatever the locale, and are rounded to f32; "inf" is read. `max_rows` stops early; 0 reads everything.
// Throws Error "[read] path: line N, column ...: reason" on missing values (empty, nan, NA, null, ?), text,
// numbers beyond f32, and rows of another length; "[read] path: reason" where there are no rows.
Table read_csv(const std::filesystem::path& path, std::int64_t max_rows = 0);

}  // namespace gpuvae::io
