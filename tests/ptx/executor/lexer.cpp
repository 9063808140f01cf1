#include "lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace ptx {
namespace {

enum Kind : std::uint8_t { kSign, kBlank, kWord };

// The kind of each character. This table replaces isalnum() and isspace(), which depend on the locale and
// cost a function call per character.
constexpr std::array<Kind, 256> kKinds = [] {
  std::array<Kind, 256> kinds{};
  for (const char c : std::string_view(" \t\n\v\f\r\0", 7)) kinds[static_cast<unsigned char>(c)] = kBlank;
  for (const char c : std::string_view("_$%.")) kinds[static_cast<unsigned char>(c)] = kWord;
  for (unsigned char c = '0'; c <= '9'; ++c) kinds[c] = kWord;
  for (unsigned char c = 'a'; c <= 'z'; ++c) kinds[c] = kinds[c - 'a' + 'A'] = kWord;
  return kinds;
}();

Kind kind_of(char c) { return kKinds[static_cast<unsigned char>(c)]; }
bool is_word(char c) { return kind_of(c) == kWord; }

// Returns the end of the word that begins at `begin`. A word includes its scope, as in .shared::cta.
std::size_t end_of_word(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  const auto is_scope = [&] {
    return text[end] == ':' && (text[end - 1] == ':' || text.substr(end, 2) == "::");
  };
  while (end < text.size() && (is_word(text[end]) || is_scope())) ++end;
  return end;
}

std::size_t end_of_token(std::string_view text, std::size_t begin) {
  if (text[begin] == '"') return std::min(text.find('"', begin + 1), text.size() - 1) + 1;
  return is_word(text[begin]) ? end_of_word(text, begin) : begin + 1;
}

// Returns the end of the comment that begins at `begin`, or `begin` if there is none.
std::size_t end_of_comment(std::string_view text, std::size_t begin) {
  if (text[begin] != '/') return begin;
  if (text.substr(begin, 2) == "//") return std::min(text.find('\n', begin), text.size());
  if (text.substr(begin, 2) == "/*") return std::min(text.find("*/", begin + 2), text.size() - 2) + 2;
  return begin;
}

}  // namespace

std::vector<Token> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  tokens.reserve(text.size() / 4);
  unsigned line = 1;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = end_of_comment(text, at);
    if (end == at) {
      const bool blank = kind_of(text[at]) == kBlank;
      end = blank ? at + 1 : end_of_token(text, at);
      if (!blank) tokens.push_back({text.substr(at, end - at), line});
    }
    line += static_cast<unsigned>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                             text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at = end;
  }
  tokens.push_back({"", line});
  return tokens;
}

bool parse_number(std::string_view text, std::uint64_t& bits) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' &&
      std::string_view("fFdDxX").find(text[1]) != std::string_view::npos) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  if (!text.empty() && text.back() == 'U') text.remove_suffix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace ptx
