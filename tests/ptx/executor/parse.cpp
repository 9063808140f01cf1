// Parses PTX text. Device functions (.func) are skipped: nvcc inlines all functions that kernels call, and a
// remaining call is refused when its kernel is decoded.
#include <algorithm>
#include <cstring>

#include "parser.h"

namespace ptx {

Syntax Parser::run() {
  while (!at_end()) {
    const Token t = next();
    directive(t);
    extern_ = t.is(".extern") || (extern_ && (t.is(".visible") || t.is(".weak")));
  }
  return std::move(syntax_);
}

void Parser::directive(const Token& t) {
  if (t.is(".version") || t.is(".target") || t.is(".address_size"))
    skip_line(t.line);
  else if (t.is(".file"))
    file();
  else if (t.is(".section"))
    skip_braces();
  else if (t.is(".func"))
    skip_function();
  else if (t.is(".entry"))
    kernel();
  else if (t.is(".global") || t.is(".const") || t.is(".shared"))
    variable(t.text, extern_);
}

bool Parser::accept(std::string_view s) {
  if (!peek().is(s)) return false;
  next();
  return true;
}

void Parser::expect(std::string_view s) {
  if (!accept(s)) fail("'" + std::string(s) + "'");
}

void Parser::fail(const std::string& expected) const {
  throw Error("[ptx] expected " + expected + " in line " + std::to_string(peek().line) + ", got '" +
              std::string(peek().text) + "'");
}

std::uint64_t Parser::number() {
  std::uint64_t bits = 0;
  if (!parse_number(peek().text, bits)) fail("a number");
  next();
  return bits;
}

std::int64_t Parser::signed_number() {
  const bool minus = accept("-");
  const auto value = static_cast<std::int64_t>(number());
  return minus ? -value : value;
}

void Parser::skip_line(unsigned line) {
  while (!at_end() && peek().line == line) next();
}

void Parser::skip_to(std::string_view s) {
  while (!at_end() && !next().is(s)) {
  }
}

void Parser::skip_braces() {
  skip_to("{");
  for (int depth = 1; depth > 0 && !at_end();) {
    const Token t = next();
    depth += t.is("{") - t.is("}");
  }
}

void Parser::skip_function() {
  while (!at_end() && !peek().is("{") && !peek().is(";")) next();
  if (!accept(";")) skip_braces();
}

void Parser::file() {
  const auto index = static_cast<unsigned>(number());
  const std::string_view quoted = next().text;
  if (quoted.size() > 2) syntax_.files[index] = quoted.substr(1, quoted.size() - 2);
}

// Parses [.align n] .type, which precede a name. Returns the size of the type in bytes.
unsigned Parser::variable_type(Variable& v) {
  unsigned bytes = 1;
  while (peek().text.starts_with(".")) {
    const std::string_view t = next().text;
    if (t == ".align")
      v.align = number();
    else if (t == ".ptr")
      skip_pointee();
    else if (t.starts_with(".v"))
      fail("a variable without .v2 or .v4");
    else
      bytes = std::max(1u, type_bytes(t.substr(1)));
  }
  return bytes;
}

// Skips .ptr .global .align 8, which describes the memory that a parameter points to.
void Parser::skip_pointee() {
  while (peek().is(".global") || peek().is(".const") || peek().is(".shared") || peek().is(".local")) next();
  if (accept(".align")) number();
}

void Parser::array_bounds(Variable& v, bool is_extern) {
  while (accept("[")) {
    if (peek().is("]")) {
      v.dynamic = is_extern;
      v.size = 0;
    } else {
      v.size *= number();
    }
    expect("]");
  }
}

std::vector<std::uint64_t> Parser::initializer() {
  std::vector<std::uint64_t> values;
  if (!accept("=")) return values;
  const bool braces = accept("{");
  do values.push_back(static_cast<std::uint64_t>(signed_number()));
  while (braces && accept(","));
  if (braces) expect("}");
  return values;
}

// Parses the rest of a variable after .global, .shared or .local: [.align n] .type name [n] [= {...}];
void Parser::variable(std::string_view space, bool is_extern) {
  Variable v;
  v.space = space == ".shared" ? Space::shared : space == ".local" ? Space::local : Space::global;
  const unsigned bytes = variable_type(v);
  const std::string_view name = next().text;
  v.name = name;
  v.align = std::max<std::uint64_t>(v.align, bytes);
  v.size = bytes;
  array_bounds(v, is_extern);
  const std::vector<std::uint64_t> values = initializer();
  expect(";");
  if (v.space == Space::global) {
    auto& storage = syntax_.storage.emplace_back(new std::uint64_t[v.size / 8 + 3]());
    v.address = (reinterpret_cast<std::uint64_t>(storage.get()) + 15) / 16 * 16;
    for (std::size_t i = 0; i < values.size(); ++i)
      std::memcpy(reinterpret_cast<char*>(v.address) + i * bytes, &values[i], bytes);
  }
  (kernel_ ? kernel_->variables : syntax_.variables)[name] = v;
}

unsigned type_bytes(std::string_view type) {
  if (type == "pred") return 0;
  std::uint64_t bits = 0;
  const std::size_t digits = type.find_first_of("0123456789");
  if (digits == std::string_view::npos || !parse_number(type.substr(digits), bits)) return 1;
  return static_cast<unsigned>(bits) / 8;
}

Syntax parse(std::string_view text) { return Parser(text).run(); }

}  // namespace ptx
