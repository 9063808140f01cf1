// Tables of numbers as comma-separated values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::io {

// A table that grows while others read it: the few rows stay in memory and each append() replaces the file
// (see AtomicFile), so that it is never half-written. Comment lines ("# ...") come first, then the header.
class CsvWriter {
 public:
  // Writes comments and header at once, so that a path that cannot be written is found before the work.
  // Throws Error "[write] path: reason", also for column names that would need quotes.
  CsvWriter(std::filesystem::path path, const std::vector<std::string>& columns,
            const std::vector<std::string>& comments = {});

  // One number a column: whole numbers in full, others with six significant digits, "nan", "inf". Where
  // writing fails, the row is kept and goes out with the next one.
  void append(const std::vector<double>& row);

 private:
  std::filesystem::path path_;
  std::size_t columns_;
  std::string text_;
};

}  // namespace gpuvae::io
