#include "src/io/table_cells.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "src/io/printable.h"

namespace gpuvae::io {
namespace {

bool is_missing(std::string_view text) {
  std::string lower(text.substr(0, 5));
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const char* word : {"", "nan", "-nan", "na", "n/a", "null", "none", "?"})
    if (lower == word) return true;
  return false;
}

// Iterates over the cells of a line and removes their quotes.
class Cells {
 public:
  Cells(std::string_view line, char separator) : rest_(line), separator_(separator) {}

  // Returns false after the last cell, and at malformed quotes, which set is_sound() to false.
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

}  // namespace

Cell parse_number(std::string_view text, double& value) {
  if (is_missing(text)) return Cell::missing;
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const char *begin = text.data(), *end = begin + text.size();
  double parsed = 0;
  const auto [stop, error] = std::from_chars(begin, end, parsed);
  if (stop != end || error == std::errc::invalid_argument) return Cell::text;
  // from_chars() reports both numbers that are too large and numbers that are too small. The latter are not
  // errors.
  if (error == std::errc::result_out_of_range) {
    long double wide = 0;
    if (std::from_chars(begin, end, wide).ec != std::errc()) return Cell::beyond_f64;
    parsed = static_cast<double>(wide);
    if (std::isinf(parsed)) return Cell::beyond_f64;
  }
  if (std::isnan(parsed)) return Cell::missing;
  value = parsed;
  return Cell::number;
}

Cell kind_of(std::string_view text) {
  double unused = 0;
  return parse_number(text, unused);
}

bool split_cells(std::string_view line, char separator, std::vector<std::string>& cells) {
  Cells all(line, separator);
  cells.clear();
  for (std::string cell; all.next(cell);) cells.push_back(cell);
  return all.is_sound();
}

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

std::string shown(std::string_view text) {
  constexpr std::size_t kLargest = 40;
  return printable(text.substr(0, kLargest)) + (text.size() > kLargest ? "..." : "");
}

}  // namespace gpuvae::io
