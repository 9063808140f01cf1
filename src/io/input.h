// Files that are read from beginning to end, plain or gzip.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gpuvae/tensor.h"

namespace gpuvae::io {

// An open file. Gzip is detected by content, not by name. Every failure throws Error "[operation] path:
// reason".
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path, std::string_view operation = "read");

  // Reads up to out.size() bytes, which must be less than 2^31, and returns their number. It is smaller only
  // at the end of the file. Bytes after the end of a gzip stream are ignored, as gzip does.
  std::size_t read(std::span<std::uint8_t> out);
  // Whether nothing follows. Reads at most one byte, so that a file that unpacks to far more than it declares
  // costs nothing.
  bool at_end();

 private:
  std::filesystem::path path_;
  std::string operation_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;  // gzread passes plain bytes through
};

// Returns the content of a file, plain or gzip, as u8[bytes] on the CPU. It reads the file at once, which is
// more than twice as fast as InputFile. Returns an undefined tensor unless the file is regular, readable and
// intact and holds exactly `bytes` bytes; read it with InputFile then, which reports the problem. Memory use
// is limited by the file's size, whatever `bytes` claims.
Tensor read_whole(const std::filesystem::path& path, std::uint64_t bytes);

}  // namespace gpuvae::io
