// Tables of numbers as comma-separated values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::io {

// A table that grows while other processes read it. All rows stay in memory, and each append() replaces the
// whole file (see AtomicFile), so that the file is never half-written. Comment lines ("# ...") come first,
// then the header.
class CsvWriter {
 public:
  // Writes the comments and the header at once, so that an unwritable path is an error before any work is
  // done. Throws Error "[write] path: reason", also if a column name would need quotes.
  CsvWriter(std::filesystem::path path, const std::vector<std::string>& columns,
            const std::vector<std::string>& comments = {});

  // Appends one number per column. Whole numbers are written in full, others with six significant digits,
  // "nan" or "inf". If writing fails, the row is kept and written with the next one.
  void append(const std::vector<double>& row);

 private:
  std::filesystem::path path_;
  std::size_t columns_;
  std::string text_;
};

}  // namespace gpuvae::io
