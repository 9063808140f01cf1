#include "src/io/npy_header.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "kernels/check.h"

namespace gpuvae::io {
namespace {

class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string path, std::string_view text) : path_(std::move(path)), text_(text) {}

  NpyHeader parse() {
    std::optional<std::string> dtype;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> shape;
    require('{');
    while (!take('}')) {
      const std::string key = quoted();
      require(':');
      if (key == "descr" && !dtype) {
        dtype = descr();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        bad(fmt::format("key '{}' is unknown or a duplicate", key));
      }
      if (take(',')) continue;
      require('}');
      break;
    }
    skip_spaces();
    if (at_ != text_.size()) bad("text after the dictionary");
    for (const auto& [key, found] : {std::pair("descr", dtype.has_value()),
                                     {"fortran_order", fortran_order.has_value()},
                                     {"shape", shape.has_value()}})
      if (!found) bad(fmt::format("key '{}' is missing", key));
    return {*dtype, *fortran_order, *shape};
  }

 private:
  [[noreturn]] void bad(std::string_view why) const {
    fail(file_error("read"),
         "{}: header is not a dictionary of descr, fortran_order and shape: {} (at its byte {})", path_, why,
         at_);
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool take(char expected) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != expected) return false;
    ++at_;
    return true;
  }
  void require(char expected) {
    if (!take(expected)) bad(fmt::format("expected '{}'", expected));
  }
  bool take_word(std::string_view word) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') bad("expected a string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) bad("a string has no end");
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    if (std::ranges::any_of(content, [](unsigned char c) { return c < ' ' || c == 0x7F || c == '\\'; }))
      bad("a string with escapes");
    at_ = end + 1;
    return std::string(content);
  }

  std::string descr() {
    skip_spaces();
    check(at_ == text_.size() || text_[at_] != '[', file_error("read"),
          "{}: holds structured records: save one array of numbers per file instead", path_);
    return quoted();
  }

  bool boolean() {
    if (take_word("True")) return true;
    if (take_word("False")) return false;
    bad("expected True or False");
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> extents;
    require('(');
    while (!take(')')) {
      extents.push_back(extent());
      if (take(',')) continue;
      if (extents.size() == 1) bad("expected ','");  // in Python, (3) is a number and (3,) a tuple
      require(')');
      break;
    }
    return extents;
  }

  std::int64_t extent() {
    skip_spaces();
    std::int64_t value = 0;
    const char *begin = text_.data() + at_, *end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(begin, end, value);
    check(error != std::errc::result_out_of_range, file_error("read"), "{}: shape overflows: an extent of {}",
          path_, std::string_view(begin, static_cast<std::size_t>(stop - begin)));
    if (error != std::errc() || value < 0) bad("expected an extent of 0 or more");
    at_ += static_cast<std::size_t>(stop - begin);
    take_word("L");  // Python 2 appended it to long integers
    return value;
  }

  std::string path_;
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(const std::string& path, std::string_view text) {
  return NpyHeaderParser(path, text).parse();
}

}  // namespace gpuvae::io
