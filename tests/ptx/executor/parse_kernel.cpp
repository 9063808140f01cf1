// Parses a kernel: its parameters, registers, labels and instructions.
#include <algorithm>
#include <cctype>

#include "parser.h"

namespace ptx {

void Parser::parameter() {
  expect(".param");
  Variable v;
  v.space = Space::param;
  v.size = variable_type(v);
  v.align = std::max(v.align, v.size);
  const std::string_view name = next().text;
  v.name = name;
  array_bounds(v, false);
  v.address = (kernel_->parameter_bytes + v.align - 1) / v.align * v.align;
  kernel_->parameter_bytes = v.address + v.size;
  kernel_->variables[name] = v;
  kernel_->parameters.push_back(v);
}

void Parser::parameters() {
  expect("(");
  while (!accept(")")) {
    parameter();
    accept(",");
  }
}

void Parser::kernel() {
  kernel_ = &syntax_.kernels.emplace_back();
  kernel_->name = next().text;
  scopes_.clear();
  source_file_ = 0;
  source_line_ = 0;
  if (peek().is("(")) parameters();
  kernel_directives();
  kernel_body();
  kernel_ = nullptr;
}

// Other directives, such as .reqnctapercluster, are refused because they change the meaning of a launch.
void Parser::kernel_directives() {
  while (!accept("{")) {
    const bool bound = peek().is(".maxntid");
    if (!bound && !peek().is(".minnctapersm") && !peek().is(".maxnreg"))
      fail("'{', .maxntid, .minnctapersm or .maxnreg");
    next();
    std::uint64_t product = 1;
    do product *= number();
    while (accept(","));
    if (bound) kernel_->max_threads = static_cast<unsigned>(product);
  }
}

void Parser::kernel_body() {
  scopes_.open();
  for (int depth = 1; depth > 0;) {
    if (at_end()) fail("'}'");
    if (accept("{")) {
      ++depth;
      scopes_.open();
    } else if (accept("}")) {
      --depth;
      scopes_.close();
    } else {
      statement();
    }
  }
}

void Parser::statement() {
  const Token t = peek();
  if (t.text.starts_with("."))
    next();
  else if (tokens_[at_ + 1].is(":")) {
    kernel_->labels[t.text] = static_cast<unsigned>(kernel_->code.size());
    at_ += 2;
    return;
  } else {
    return instruction();
  }
  if (t.is(".reg"))
    registers();
  else if (t.is(".loc"))
    location();
  else if (t.is(".shared") || t.is(".local"))
    variable(t.text, false);
  else if (t.is(".pragma") || t.is(".param"))
    skip_to(";");
  else
    fail("a supported directive instead of " + std::string(t.text));
}

void Parser::location() {
  const unsigned line = tokens_[at_ - 1].line;
  source_file_ = static_cast<unsigned>(number());
  source_line_ = static_cast<unsigned>(number());
  skip_line(line);
}

void Parser::registers() {
  const unsigned bytes = type_bytes(next().text.substr(1));
  do {
    const std::string_view name = next().text;
    std::uint64_t count = 0;
    if (accept("<")) {
      count = number();
      expect(">");
    }
    scopes_.declare(name, static_cast<int>(kernel_->registers.size()), count);
    kernel_->registers.resize(kernel_->registers.size() + std::max<std::uint64_t>(count, 1),
                              static_cast<std::uint8_t>(bytes));
  } while (accept(","));
  expect(";");
}

SyntaxOperand Parser::vector_operand() {
  SyntaxOperand o;
  o.kind = SyntaxOperand::vector;
  while (!accept("}")) {
    o.elements.push_back(operand());
    accept(",");
  }
  return o;
}

SyntaxOperand Parser::address_operand() {
  SyntaxOperand o = operand();
  if (o.kind == SyntaxOperand::immediate) o.offset = static_cast<std::int64_t>(o.bits);
  o.kind = SyntaxOperand::address;
  if (accept("+")) o.offset += signed_number();
  expect("]");
  return o;
}

SyntaxOperand Parser::operand() {
  if (accept("{")) return vector_operand();
  if (accept("[")) return address_operand();
  SyntaxOperand o;
  o.negated = accept("!");
  if (peek().is("-") || std::isdigit(static_cast<unsigned char>(peek().text[0]))) {
    o.kind = SyntaxOperand::immediate;
    o.bits = static_cast<std::uint64_t>(signed_number());
    return o;
  }
  o.name = next().text;
  const bool sink = o.name == "_";
  o.reg = sink ? -1 : scopes_.find(o.name);
  o.kind = o.reg >= 0 || sink ? SyntaxOperand::register_
           : o.name[0] == '%' ? SyntaxOperand::special
                              : SyntaxOperand::symbol;
  if (accept("|")) {
    o.second = scopes_.find(peek().text);
    if (o.second < 0) fail("a register after '|'");
    next();
  }
  return o;
}

void Parser::instruction() {
  SyntaxInstruction i;
  i.line = peek().line;
  i.source_file = source_file_;
  i.source_line = source_line_;
  const char* begin = peek().text.data();
  if (accept("@")) {
    i.negated = accept("!");
    i.predicate = scopes_.find(peek().text);
    if (i.predicate < 0) fail("a predicate");
    next();
  }
  i.opcode = next().text;
  const bool is_call = i.opcode.starts_with("call");
  while (!peek().is(";")) {
    if (at_end()) fail("';'");
    if (is_call) {
      next();
      continue;
    }
    i.operands.push_back(operand());
    accept(",");
  }
  i.text = {begin, static_cast<std::size_t>(peek().text.data() - begin)};
  expect(";");
  kernel_->code.push_back(std::move(i));
}

}  // namespace ptx
