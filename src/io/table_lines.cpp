#include "src/io/table_lines.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::io {
namespace {

// Bytes that are read at once. Small files need only the first, small buffer.
constexpr std::size_t kFirstChunk = std::size_t{1} << 16, kMaxChunk = std::size_t{1} << 20;
constexpr std::size_t kLongestLine = std::size_t{1} << 26;

}  // namespace

bool LineReader::next(std::string_view& line) {
  ++number_;
  for (std::size_t seen = 0;;) {
    const std::uint8_t* begin = buffer_.data() + begin_;
    const std::size_t size = end_ - begin_;
    const void* newline = size == seen ? nullptr : std::memchr(begin + seen, '\n', size - seen);
    if (!newline && !ended_) {
      seen = size;
      fill();
      continue;
    }
    if (!newline && size == 0) return false;
    const auto length =
        newline ? static_cast<std::size_t>(static_cast<const std::uint8_t*>(newline) - begin) : size;
    begin_ += length + (newline ? 1 : 0);
    line = {reinterpret_cast<const char*>(begin), length};
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    return true;
  }
}

void LineReader::fill() {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= std::exchange(begin_, 0);
  check(end_ < kLongestLine, file_error("read"), "{}: line {}: longer than {} bytes: not a table", path_,
        number_, kLongestLine);
  const std::size_t chunk = std::clamp(buffer_.size(), kFirstChunk, kMaxChunk);
  if (buffer_.size() - end_ < chunk) buffer_.resize(std::max(2 * buffer_.size(), 2 * chunk));
  const std::size_t got = file_.read(std::span(buffer_).subspan(end_, chunk));
  end_ += got;
  ended_ = got < chunk;
}

}  // namespace gpuvae::io
