// Reads tables of numbers from text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::io {

struct Table {
  std::vector<std::string> columns;  // names of the columns; "0", "1", ... if the file has none
  std::int64_t rows = 0;
  std::vector<float> values;  // [rows, columns], row-major
};

// Reads a table, plain or gzip. The separator is the first of tab, semicolon, comma and space that the first
// line contains; several spaces count as one. The first line holds names if any of its cells is text. Blank
// lines and lines that begin with '#' are skipped, and names and numbers may be in double quotes. Numbers
// have a decimal point in every locale and are rounded to f32; "inf" is read. At most `max_rows` rows are
// read; 0 reads all. Throws Error "[read] path: line N, column ...: reason" for missing values (empty, nan,
// NA, null, ?), text, numbers beyond f32 and rows of another length, and "[read] path: reason" if there are
// no rows.
Table read_csv(const std::filesystem::path& path, std::int64_t max_rows = 0);

}  // namespace gpuvae::io
