// Reads PTX text. Functions (.func) are skipped: nvcc inlines what kernels call, all but printf and assert.
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "syntax.h"

namespace ptx {
namespace {

struct Token {
  std::string_view text;
  unsigned line = 1;
  bool is(std::string_view s) const { return text == s; }
};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  unsigned line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\n')
      ++line, ++i;
    else if (std::isspace(static_cast<unsigned char>(c)) || c == '\0')
      ++i;
    else if (text.substr(i, 2) == "//")
      i = std::min(text.find('\n', i), text.size());
    else if (text.substr(i, 2) == "/*") {
      const std::size_t end = std::min(text.find("*/", i), text.size());
      for (; i < end; ++i) line += text[i] == '\n';
      i = std::min(end + 2, text.size());
    } else {
      std::size_t end = i + 1;
      if (c == '"') {
        while (end < text.size() && text[end] != '"') ++end;
        ++end;
      } else if (is_word(c)) {
        while (end < text.size() &&
               (is_word(text[end]) || text.substr(end, 2) == "::" || text.substr(end - 1, 2) == "::"))
          ++end;
      }
      tokens.push_back({text.substr(i, end - i), line});
      i = end;
    }
  }
  tokens.push_back({"", line});
  return tokens;
}

std::uint64_t number(std::string_view t) {
  std::uint64_t bits = 0;
  const bool hex = t.size() > 2 && t[0] == '0' && std::strchr("fFdDxX", t[1]);
  if (hex)
    std::from_chars(t.data() + 2, t.data() + t.size(), bits, 16);
  else
    std::from_chars(t.data(), t.data() + t.size(), bits, t.size() > 1 && t[0] == '0' ? 8 : 10);
  return bits;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(tokens_of(text)) {}

  Syntax run() {
    while (!at_end()) {
      const Token t = next();
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
      extern_ = t.is(".extern") || (extern_ && (t.is(".visible") || t.is(".weak")));
    }
    return std::move(syntax_);
  }

 private:
  bool at_end() const { return tokens_[at_].text.empty(); }
  const Token& peek() const { return tokens_[at_]; }
  Token next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool accept(std::string_view s) { return peek().is(s) ? (next(), true) : false; }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("ptx line " + std::to_string(peek().line) + ": " + what + ", found '" +
                std::string(peek().text) + "'");
  }
  void expect(std::string_view s) {
    if (!accept(s)) fail("expected '" + std::string(s) + "'");
  }
  void skip_line(unsigned line) {
    while (!at_end() && peek().line == line) next();
  }
  void skip_to(std::string_view s) {
    while (!at_end() && !next().is(s)) {
    }
  }
  void skip_braces() {
    skip_to("{");
    for (int depth = 1; depth > 0 && !at_end();) {
      const Token t = next();
      depth += t.is("{") - t.is("}");
    }
  }
  void skip_function() {
    while (!at_end() && !peek().is("{") && !peek().is(";")) next();
    if (!accept(";")) skip_braces();
  }
  void file() {
    const unsigned index = static_cast<unsigned>(number(next().text));
    const std::string_view quoted = next().text;
    if (quoted.size() > 2) syntax_.files[index] = quoted.substr(1, quoted.size() - 2);
  }

  // After .global and its like: [.align n] .type name [n] [= {...}];
  void variable(std::string_view space, bool is_extern) {
    Variable v;
    v.space = space == ".shared" ? Space::shared : space == ".local" ? Space::local : Space::global;
    unsigned bytes = 1;
    std::vector<std::uint64_t> values;
    while (peek().text.starts_with(".")) {
      const std::string_view t = next().text;
      if (t == ".align")
        v.align = number(next().text);
      else if (t == ".v2" || t == ".v4")
        v.size = 0;
      else
        bytes = std::max(1u, type_bytes(t.substr(1)));
    }
    const std::string_view name = next().text;
    v.name = name;
    v.align = std::max<std::uint64_t>(v.align, bytes);
    v.size = bytes;
    while (accept("[")) {
      if (!peek().is("]"))
        v.size *= number(next().text);
      else
        v.dynamic = is_extern, v.size = 0;
      expect("]");
    }
    if (accept("=")) {
      const bool braces = accept("{");
      do {
        const bool minus = accept("-");
        const std::uint64_t x = number(next().text);
        values.push_back(minus ? -x : x);
      } while (braces && accept(","));
    }
    skip_to(";");
    if (v.space == Space::global) {
      auto& storage = syntax_.storage.emplace_back(new std::uint64_t[v.size / 8 + 3]());
      v.address = (reinterpret_cast<std::uint64_t>(storage.get()) + 15) / 16 * 16;
      for (std::size_t i = 0; i < values.size(); ++i)
        std::memcpy(reinterpret_cast<char*>(v.address) + i * bytes, &values[i], bytes);
    }
    (kernel_ ? kernel_->variables : syntax_.variables)[name] = v;
  }

  void parameters() {
    expect("(");
    while (!accept(")")) {
      Variable v;
      v.space = Space::param;
      unsigned bytes = 1;
      expect(".param");
      while (peek().text.starts_with(".")) {
        const std::string_view t = next().text;
        if (t == ".align")
          v.align = number(next().text);
        else if (t != ".ptr")
          bytes = std::max(bytes, type_bytes(t.substr(1)));
      }
      const std::string_view name = next().text;
      v.name = name;
      v.size = bytes;
      if (accept("[")) v.size = bytes * number(next().text), expect("]");
      v.align = std::max<std::uint64_t>(v.align, bytes);
      v.address = (kernel_->parameter_bytes + v.align - 1) / v.align * v.align;
      kernel_->parameter_bytes = v.address + v.size;
      kernel_->variables[name] = v;
      kernel_->parameters.push_back(v);
      accept(",");
    }
  }

  void kernel() {
    kernel_ = &syntax_.kernels.emplace_back();
    kernel_->name = next().text;
    scopes_.assign(1, {});
    source_file_ = source_line_ = 0;
    if (peek().is("(")) parameters();
    while (!accept("{")) {
      const Token t = next();
      if (t.is(".maxntid")) {
        kernel_->max_threads = 1;
        do kernel_->max_threads *= static_cast<unsigned>(number(next().text));
        while (accept(","));
      }
    }
    for (int depth = 1; depth > 0;) {
      if (at_end()) fail("expected '}'");
      if (accept("{"))
        ++depth, scopes_.emplace_back();
      else if (accept("}"))
        --depth, scopes_.pop_back();
      else
        statement();
    }
    kernel_ = nullptr;
  }

  void statement() {
    const Token t = peek();
    if (t.is(".reg"))
      next(), registers();
    else if (t.is(".loc")) {
      next();
      source_file_ = static_cast<unsigned>(number(next().text));
      source_line_ = static_cast<unsigned>(number(next().text));
      skip_line(t.line);
    } else if (t.is(".shared") || t.is(".local") || t.is(".param"))
      variable(next().text, false);
    else if (t.text.starts_with("."))
      next(), skip_to(";");  // .pragma
    else if (tokens_[at_ + 1].is(":"))
      kernel_->labels[t.text] = static_cast<unsigned>(kernel_->code.size()), next(), next();
    else
      instruction();
  }

  void registers() {
    const unsigned bytes = type_bytes(next().text.substr(1));
    do {
      const std::string_view name = next().text;
      std::uint64_t count = 0;
      if (accept("<")) count = number(next().text), expect(">");
      scopes_.back()[name] = {static_cast<int>(kernel_->registers.size()), count};
      kernel_->registers.resize(kernel_->registers.size() + std::max<std::uint64_t>(count, 1),
                                static_cast<std::uint8_t>(bytes));
    } while (accept(","));
    expect(";");
  }

  int find_register(std::string_view name) const {  // -1 if there is none
    const std::size_t digits = name.find_last_not_of("0123456789") + 1;
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto whole = scope->find(name); whole != scope->end() && whole->second.count == 0)
        return whole->second.first;
      if (digits == name.size()) continue;
      if (const auto range = scope->find(name.substr(0, digits)); range != scope->end()) {
        std::uint64_t index = 0;
        std::from_chars(name.data() + digits, name.data() + name.size(), index);
        if (index < range->second.count) return range->second.first + static_cast<int>(index);
      }
    }
    return -1;
  }

  SyntaxOperand operand() {
    SyntaxOperand o;
    if (accept("!")) o.negated = true;
    if (accept("{")) {
      o.kind = SyntaxOperand::vector;
      while (!accept("}")) o.elements.push_back(operand()), accept(",");
      return o;
    }
    if (accept("[")) {
      o = operand();
      if (o.kind == SyntaxOperand::immediate) o.offset = static_cast<std::int64_t>(o.bits);
      o.kind = SyntaxOperand::address;
      if (accept("+")) {
        const bool minus = accept("-");
        const auto offset = static_cast<std::int64_t>(number(next().text));
        o.offset += minus ? -offset : offset;
      }
      expect("]");
      return o;
    }
    const bool minus = accept("-");
    const Token t = next();
    if (std::isdigit(static_cast<unsigned char>(t.text[0]))) {
      o.kind = SyntaxOperand::immediate;
      o.bits = number(t.text);
      if (minus) o.bits = -o.bits;
      return o;
    }
    o.reg = t.text == "_" ? -1 : find_register(t.text);
    o.name = t.text;
    o.kind = o.reg >= 0 || t.text == "_" ? SyntaxOperand::register_
             : t.text[0] == '%'          ? SyntaxOperand::special
                                         : SyntaxOperand::symbol;
    if (accept("|")) o.second = find_register(next().text);
    return o;
  }

  void instruction() {
    SyntaxInstruction i;
    i.line = peek().line;
    i.source_file = source_file_, i.source_line = source_line_;
    const char* begin = peek().text.data();
    if (accept("@")) {
      i.negated = accept("!");
      i.predicate = find_register(next().text);
      if (i.predicate < 0) fail("expected a predicate");
    }
    i.opcode = next().text;
    if (i.opcode.starts_with("call")) {
      while (!peek().is(";")) next();
    } else {
      while (!peek().is(";")) i.operands.push_back(operand()), accept(",");
    }
    i.text = {begin, static_cast<std::size_t>(peek().text.data() - begin)};
    expect(";");
    kernel_->code.push_back(std::move(i));
  }

  struct Registers {
    int first;
    std::uint64_t count;  // 0: a single one
  };
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool extern_ = false;
  Syntax syntax_;
  SyntaxKernel* kernel_ = nullptr;
  std::vector<std::unordered_map<std::string_view, Registers>> scopes_;
  unsigned source_file_ = 0, source_line_ = 0;
};

}  // namespace

unsigned type_bytes(std::string_view type) {
  if (type == "pred") return 0;
  const std::size_t digits = type.find_first_of("0123456789");
  if (digits == std::string_view::npos) return 1;
  return static_cast<unsigned>(number(type.substr(digits))) / 8;
}

Syntax parse(std::string_view text) { return Parser(text).run(); }

}  // namespace ptx
