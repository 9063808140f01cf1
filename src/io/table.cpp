#include "src/io/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/check.h"
#include "src/io/input.h"

namespace gpuvae::io {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kLongestLine = std::size_t{1} << 26;

// Reads a file line by line. A line stays valid until the next call.
class LineReader {
 public:
  explicit LineReader(const std::filesystem::path& path) : path_(path.string()), file_(path) {}

  std::int64_t number() const { return number_; }  // the number of the last line, counted from 1

  // Returns false at the end of the file. `line` excludes the line break.
  bool next(std::string_view& line) {
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
      return true;
    }
  }

 private:
  void fill() {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= std::exchange(begin_, 0);
    check(end_ < kLongestLine, file_error("read"), "{}: line {}: longer than {} bytes: not a table", path_,
          number_, kLongestLine);
    if (buffer_.size() - end_ < kChunk) buffer_.resize(std::max(2 * buffer_.size(), 2 * kChunk));
    const std::size_t got = file_.read(std::span(buffer_).subspan(end_, kChunk));
    end_ += got;
    ended_ = got < kChunk;
  }

  std::string path_;
  InputFile file_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // the part of buffer_ that is still unread
  bool ended_ = false;
  std::int64_t number_ = 0;
};

bool is_missing(std::string_view text) {
  std::string lower(text.substr(0, 5));
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const char* word : {"", "nan", "-nan", "na", "n/a", "null", "none", "?"})
    if (lower == word) return true;
  return false;
}

enum class Cell { number, missing, text, beyond_f32 };

// Parses the whole of `text` as a number.
Cell parse_number(std::string_view text, float& value) {
  if (is_missing(text)) return Cell::missing;
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const char *begin = text.data(), *end = begin + text.size();
  auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end || error == std::errc::invalid_argument) return Cell::text;
  // from_chars() reports numbers that are too large and numbers that are too small. The latter are no error.
  if (error == std::errc::result_out_of_range) {
    long double wide = 0;
    if (std::from_chars(begin, end, wide).ec != std::errc()) return Cell::beyond_f32;
    value = static_cast<float>(wide);
    if (std::isinf(value)) return Cell::beyond_f32;
  }
  return std::isnan(value) ? Cell::missing : Cell::number;
}

// Shortens text for messages and replaces its control characters.
std::string shown(std::string_view text) {
  constexpr std::size_t kLargest = 40;
  std::string result(text.substr(0, kLargest));
  for (char& c : result)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  return result + (text.size() > kLargest ? "..." : "");
}

// Iterates over the cells of a line and removes their quotes.
class Cells {
 public:
  Cells(std::string_view line, char separator) : rest_(line), separator_(separator) {}

  // Returns false after the last cell and at malformed quotes, after which is_sound() is false.
  bool next(std::string& cell) {
    if (done_) return false;
    trim_start(rest_);
    if (rest_.starts_with('"')) return next_quoted(cell);
    const std::size_t size =
        std::min(rest_.size(), rest_.find_first_of(separator_ == ' ' ? " \t" : separators()));
    cell = rest_.substr(0, size);
    while (!cell.empty() && is_space(cell.back())) cell.pop_back();
    return advance(size);
  }
  bool is_sound() const { return is_sound_; }

 private:
  std::string_view separators() const { return {&separator_, 1}; }
  bool is_space(char c) const { return c == ' ' || (c == '\t' && separator_ != '\t'); }
  void trim_start(std::string_view& text) const {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  }

  bool next_quoted(std::string& cell) {
    cell.clear();
    std::size_t at = 1;
    for (;; ++at) {
      if (at >= rest_.size()) return is_sound_ = false;
      if (rest_[at] == '"' && rest_.substr(at + 1, 1) != "\"") break;  // two quotes represent one
      at += rest_[at] == '"';
      cell += rest_[at];
    }
    return advance(at + 1);
  }

  // Advances past a cell of `size` characters and its separator.
  bool advance(std::size_t size) {
    rest_.remove_prefix(size);
    trim_start(rest_);
    done_ = rest_.empty();
    if (done_ || separator_ == ' ') return true;
    if (rest_.front() != separator_) return is_sound_ = false;  // text after a closing quote
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
  char separator_;
  bool done_ = false, is_sound_ = true;
};

std::string without_quoted(std::string_view line) {
  std::string rest;
  bool quoted = false;
  for (const char c : line)
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted) {
      rest += c;
    }
  return rest;
}

class TableReader {
 public:
  TableReader(const std::filesystem::path& path, std::int64_t max_rows)
      : path_(path.string()), lines_(path), max_rows_(max_rows) {}

  Table read() {
    std::string_view line;
    while (lines_.next(line)) {
      if (lines_.number() == 1 && line.starts_with("\xEF\xBB\xBF"))
        line.remove_prefix(3);  // a byte order mark
      const std::size_t start = line.find_first_not_of(" \t");
      if (start == std::string_view::npos || line[start] == '#') continue;
      while (line.ends_with(' ')) line.remove_suffix(1);
      if (!table_.columns.empty() || !is_header(line)) row(line);
      if (max_rows_ > 0 && table_.rows == max_rows_) break;
    }
    check(!table_.columns.empty(), file_error("read"), "{}: expected a table, got {}", path_,
          lines_.number() == 1 ? "an empty file" : "only blank lines and comments");
    check(table_.rows > 0, file_error("read"), "{}: expected rows of numbers, got only a header", path_);
    return std::move(table_);
  }

 private:
  template <class... Args>
  [[noreturn]] void bad_line(fmt::format_string<Args...> reason, Args&&... args) const {
    fail(file_error("read"), "{}: line {}{}", path_, lines_.number(),
         fmt::format(reason, std::forward<Args>(args)...));
  }

  std::vector<std::string> cells_of(std::string_view line) const {
    Cells cells(line, separator_);
    std::vector<std::string> all;
    for (std::string cell; cells.next(cell);) all.push_back(cell);
    if (!cells.is_sound()) bad_line(": unterminated quote, or text after a closing quote");
    return all;
  }

  // Determines the separator, the number of columns and, if the line is a header, their names.
  bool is_header(std::string_view line) {
    if (line.find('\0') != std::string_view::npos) bad_line(" has zero bytes: not a text file");
    const std::string unquoted = without_quoted(line);
    for (const char separator : {'\t', ';', ',', ' '})
      if (separator_ = separator; unquoted.find(separator) != std::string::npos) break;
    std::vector<std::string> cells = cells_of(line);
    float unused = 0;
    has_names_ = std::ranges::any_of(
        cells, [&](const std::string& cell) { return parse_number(cell, unused) == Cell::text; });
    for (std::size_t i = 0; i < cells.size() && !has_names_; ++i) cells[i] = std::to_string(i);
    table_.columns = std::move(cells);
    return has_names_;
  }

  void row(std::string_view line) {
    const char *at = line.data(), *const end = at + line.size();
    for (std::size_t column = 0; column < table_.columns.size(); ++column) {
      at = skip_spaces(at, end);
      float value = 0;
      const auto [stop, error] = std::from_chars(at, end, value);
      const char* next = skip_spaces(stop, end);
      const bool is_last = column + 1 == table_.columns.size();
      const bool ends = is_last             ? next == end
                        : separator_ == ' ' ? next > stop
                                            : next < end && *next == separator_;
      if (error != std::errc() || !ends || std::isnan(value)) return unusual_row(line, column);
      table_.values.push_back(value);
      at = is_last || separator_ == ' ' ? next : next + 1;
    }
    ++table_.rows;
  }

  // Reads the rows that the fast path of row() does not: quotes, plus signs, very small numbers and all
  // errors. The first `done` values of the row are stored already.
  void unusual_row(std::string_view line, std::size_t done) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != table_.columns.size())
      bad_line(": expected {} cells, got {}", table_.columns.size(), cells.size());
    for (std::size_t column = done; column < cells.size(); ++column) {
      float value = 0;
      const Cell kind = parse_number(cells[column], value);
      if (kind != Cell::number) bad_cell(column, kind, cells[column]);
      table_.values.push_back(value);
    }
    ++table_.rows;
  }

  [[noreturn]] void bad_cell(std::size_t column, Cell kind, std::string_view cell) const {
    const std::string where = column_text(column), text = shown(cell);
    if (kind == Cell::missing) bad_line(", {}: missing value, got '{}'", where, text);
    if (kind == Cell::beyond_f32)
      bad_line(", {}: expected a number within 32-bit floats, got {}", where, text);
    bad_line(", {}: expected a number, got '{}'", where, text);
  }

  std::string column_text(std::size_t column) const {
    if (!has_names_) return fmt::format("column {} (from 0)", column);
    return fmt::format("column '{}'", shown(table_.columns[column]));
  }

  const char* skip_spaces(const char* at, const char* end) const {
    while (at < end && (*at == ' ' || (*at == '\t' && separator_ != '\t'))) ++at;
    return at;
  }

  std::string path_;
  LineReader lines_;
  std::int64_t max_rows_;
  Table table_;
  char separator_ = ',';
  bool has_names_ = false;
};

}  // namespace

Table read_csv(const std::filesystem::path& path, std::int64_t max_rows) {
  return TableReader(path, max_rows).read();
}

}  // namespace gpuvae::io
