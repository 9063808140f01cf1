// The recursive-descent parser of PTX text. parse.cpp reads modules, parse_kernel.cpp reads kernels.
#pragma once

#include <string>

#include "lexer.h"
#include "register_scopes.h"
#include "syntax.h"

namespace ptx {

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(tokenize(text)) {}
  Syntax run();

 private:
  bool at_end() const { return tokens_[at_].text.empty(); }
  const Token& peek() const { return tokens_[at_]; }
  Token next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool accept(std::string_view s);
  void expect(std::string_view s);
  [[noreturn]] void fail(const std::string& expected) const;
  std::uint64_t number();
  std::int64_t signed_number();
  void skip_line(unsigned line);
  void skip_to(std::string_view s);
  void skip_braces();
  void skip_function();

  void directive(const Token& t);
  void file();
  void variable(std::string_view space, bool is_extern);
  unsigned variable_type(Variable& v);
  void skip_pointee();
  void array_bounds(Variable& v, bool is_extern);
  std::vector<std::uint64_t> initializer();
  void parameters();
  void parameter();
  void kernel();
  void kernel_directives();
  void kernel_body();
  void statement();
  void location();
  void registers();
  SyntaxOperand operand();
  SyntaxOperand vector_operand();
  SyntaxOperand address_operand();
  void instruction();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool extern_ = false;
  Syntax syntax_;
  SyntaxKernel* kernel_ = nullptr;
  RegisterScopes scopes_;
  unsigned source_file_ = 0, source_line_ = 0;
};

}  // namespace ptx
