// The lines of a text file, plain or gzip.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/input.h"

namespace gpuvae::io {

// Reads a file line by line. A line stays valid until the next call. Throws Error "[read] path: reason" if
// the file cannot be read or a line is too long for a table.
class LineReader {
 public:
  explicit LineReader(const std::filesystem::path& path) : path_(path.string()), file_(path) {}

  // Returns false at the end of the file. `line` excludes the line break and a byte order mark.
  bool next(std::string_view& line);
  // The number of the last line, counted from 1.
  std::int64_t number() const { return number_; }

 private:
  void fill();

  std::string path_;
  InputFile file_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // the part of buffer_ that is still unread
  bool ended_ = false;
  std::int64_t number_ = 0;
};

}  // namespace gpuvae::io
