// Tables of numbers as comma-separated values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "src/io/file.h"

namespace gpuvae::io {

struct CsvOptions {
  std::string rows = {};  // first rows: lines of an older file, unchanged, each with its line break
  Sync sync = Sync::yes;  // of every write
  bool deferred = false;  // writes nothing before start()
};
// A table that grows while other processes read it. All rows stay in memory, and each append() replaces the
// whole file (see AtomicFile), so that the file is never half-written. Comment lines ("# ...") come first,
// then the header.
class CsvWriter {
 public:
  // Writes the comments and the header at once, unless CsvOptions::deferred is set, so that an unwritable
  // path is an error before any work is done. Throws Error "[write] path: reason", also if a column name
  // would need quotes.
  CsvWriter(std::filesystem::path path, const std::vector<std::string>& columns,
            const std::vector<std::string>& comments = {}, CsvOptions options = {});

  // Writes all rows so far and, from now on, each new row (see CsvOptions::deferred).
  void start();
  // Changes CsvOptions::sync for the next writes.
  void set_sync(Sync sync) { sync_ = sync; }
  // Appends one number per column. Whole numbers are written in full, others with six significant digits,
  // "nan" or "inf". If writing fails, the row is kept and written with the next one.
  void append(const std::vector<double>& row);

 private:
  std::filesystem::path path_;
  std::size_t columns_;
  Sync sync_;
  bool started_;
  std::string text_;
};

}  // namespace gpuvae::io
