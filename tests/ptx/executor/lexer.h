// Splits PTX text into tokens.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ptx {

struct Token {
  std::string_view text;
  unsigned line = 1;
  bool is(std::string_view s) const { return text == s; }
};

// Splits `text` into tokens, followed by an empty one. The text must outlive the tokens.
std::vector<Token> tokenize(std::string_view text);

// Parses a literal: 10, 010, 0x10, 10U, 0f3F800000 (the bits of an f32), 0d3FF0000000000000 (the bits of an
// f64). Returns false for any other text.
bool parse_number(std::string_view text, std::uint64_t& bits);

}  // namespace ptx
