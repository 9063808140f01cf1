// Reads tables of numbers from text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "src/io/table_layout.h"

namespace gpuvae::io {

struct TableOptions {
  TableHeader header = TableHeader::automatic;
  // The columns to read, in this order, by name or by number from 0; empty for all but an index column.
  std::vector<std::string> columns = {};
  // The column of class labels, by name or by number from 0; empty for none.
  std::string label_column = {};
  // Names of columns. Line 1 is a header if it holds all of them.
  std::vector<std::string> expected_names = {};
  // Finds `columns` by name only, which requires a header. Other columns are left out, as the summary then
  // says, and the label column may be absent.
  bool by_name = false;
  bool missing_values = false;  // accepts missing values, which become NaN
  std::int64_t max_rows = 0;    // reads only the first rows; 0 reads all
};

struct Table {
  std::vector<std::string> columns;  // names of the columns of `values`; numbers from 0 without a header
  bool has_names = false;            // whether the file has a header
  std::int64_t rows = 0;
  std::vector<double> values;                 // [rows, columns], row-major
  std::string label_column = {};              // its name, or its number if it has none; empty without labels
  std::vector<std::string> label_texts = {};  // the different labels, in the order of their first row
  std::vector<std::uint32_t> labels = {};     // of each row, an index into label_texts
  // The separator, header, label column and index column that were found, in one sentence that names the
  // file.
  std::string summary = {};
  std::vector<std::string> notes = {};  // doubtful decisions, one sentence each
};

// Reads a table, plain or gzip. The separator is the first of tab, semicolon, comma, vertical bar and space
// that splits all of the first lines into equally many cells; several spaces count as one. Blank lines and
// lines that begin with '#' are skipped, and names and numbers may be in double quotes. Numbers have a
// decimal point in every locale; "inf" is allowed. An index column in front is left out: a first column
// without a name, the row names of R, or a first column that counts the rows and has a name like "index" or
// "id", or counts them in a table without a header. Throws Error "[read] path: line N, column ...: reason"
// for missing values (empty, nan, NA, null, ?) unless they are accepted, text, numbers beyond f64 and rows of
// another length, and
// "[read] path: reason" if there are no rows, if a column is not found, or if it is doubtful whether line 1
// is a header.
Table read_table(const std::filesystem::path& path, const TableOptions& options = {});

// Reads all columns of a table in which line 1 holds names if any of its cells is text.
Table read_csv(const std::filesystem::path& path, std::int64_t max_rows = 0);

}  // namespace gpuvae::io
