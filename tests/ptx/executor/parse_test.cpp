// Tests the parser: literals, scopes, labels, parameters, variables, and refused input.
#include <gtest/gtest.h>

#include "lexer.h"
#include "syntax.h"
#include "test_kernels.h"

namespace ptx {
namespace {

// Returns the message of the error that f throws, or "" if it throws none.
template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(PtxParse, Numbers) {
  const auto number = [](std::string_view text) {
    std::uint64_t bits = 99;
    EXPECT_TRUE(parse_number(text, bits)) << text;
    return bits;
  };
  EXPECT_EQ(number("42"), 42u);
  EXPECT_EQ(number("42U"), 42u);
  EXPECT_EQ(number("0"), 0u);
  EXPECT_EQ(number("017"), 15u);
  EXPECT_EQ(number("0xfF"), 255u);
  EXPECT_EQ(number("0f3F800000"), 0x3f800000u);
  EXPECT_EQ(number("0dBFF0000000000000"), 0xbff0000000000000u);
  std::uint64_t bits;
  for (const std::string_view text : {"", "1.5", "12x", "generic", "0x", "08"})
    EXPECT_FALSE(parse_number(text, bits)) << text;
}

TEST(PtxParse, TokensHaveLineNumbers) {
  const auto tokens = tokenize("add.s32 %r1, -5; // comment\n/* two\nlines */ ld.shared::cta.u32 \"a b\"");
  std::vector<std::string_view> texts;
  for (const Token& t : tokens) texts.push_back(t.text);
  EXPECT_EQ(texts, (std::vector<std::string_view>{"add.s32", "%r1", ",", "-", "5", ";", "ld.shared::cta.u32",
                                                  "\"a b\"", ""}));
  EXPECT_EQ(tokens[0].line, 1u);
  EXPECT_EQ(tokens[6].line, 3u);
}

TEST(PtxParse, ParametersAreAligned) {
  const std::string text = module_text(
      ".visible .entry k(.param .u8 a, .param .u64 .ptr .global .align 16 b, .param .align 4 .b8 c[6],\n"
      ".param .f64 d)\n.maxntid 64, 2, 1\n{\nret;\n}\n");
  const Syntax syntax = parse(text);
  const SyntaxKernel& k = syntax.kernels.at(0);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const Variable& v : k.parameters) places.emplace_back(v.address, v.size);
  EXPECT_EQ(places, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 1}, {8, 8}, {16, 6}, {24, 8}}));
  EXPECT_EQ(k.max_threads, 128u);
}

TEST(PtxParse, InnerRegistersShadowOuterOnes) {
  const std::vector<std::uint32_t> x = {10};
  EXPECT_EQ(evaluate<std::uint32_t>(".reg .b32 %x<2>; mov.u32 %x0, 1; { .reg .b32 %x<2>; mov.u32 %x0, 7; "
                                    "add.u32 %x1, %x0, %a0; add.u32 %d, %x1, 0; } add.u32 %d, %d, %x0;",
                                    x)[0],
            18u);
}

TEST(PtxParse, BranchesAndPredicates) {
  const std::vector<std::uint32_t> x = {1, 5, 0};
  // Computes 0 if a = 0, else 100 + 1 + 2 + ... + a.
  const std::string body =
      "mov.u32 %d, 0; setp.eq.u32 %q0, %a0, 0; @%q0 bra done; .reg .b32 %k; mov.u32 %k, %a0; loop: "
      "add.u32 %d, %d, %k; sub.u32 %k, %k, 1; setp.ne.u32 %q1, %k, 0; @%q1 bra loop; done: "
      "@!%q0 add.u32 %d, %d, 100;";
  EXPECT_EQ(evaluate<std::uint32_t>(body, x), (std::vector<std::uint32_t>{101, 115, 0}));
}

TEST(PtxParse, ModuleVariablesHaveTheirInitialValues) {
  const std::string text = module_text(
      ".const .align 4 .b32 table[3] = {5, -6, 7};\n.global .align 2 .b16 pair[2] = {1, 2};\n"
      ".visible .entry k(.param .u64 out)\n{\n.reg .b64 %p; .reg .b32 %r<3>; .reg .b16 %h;\n"
      "ld.param.u64 %p, [out];\nld.const.b32 %r0, [table+4];\nst.global.b32 [%p], %r0;\n"
      "ld.global.u16 %h, [pair+2];\ncvt.u32.u16 %r1, %h;\nst.global.b32 [%p+4], %r1;\nret;\n}\n");
  Module module = Module::load(text);
  Memory memory;
  auto* out = memory.allocate<std::int32_t>(2);
  module.launch(memory, "k", {1}, {1}, 0, out);
  EXPECT_EQ(out[0], -6);
  EXPECT_EQ(out[1], 2);
}

// The parser throws an error for input that it does not understand. The message says what was expected, and
// where.
TEST(PtxParse, RefusesUnknownSyntax) {
  const auto error = [](const std::string& kernel) {
    return error_of([&] { Module::load(module_text(kernel)); });
  };
  EXPECT_NE(error(".global .b64 p = generic(x);\n").find("expected a number in line 4, got 'generic'"),
            std::string::npos);
  EXPECT_NE(error(".visible .entry k()\n.reqnctapercluster 2\n{\nret;\n}\n").find("'.reqnctapercluster'"),
            std::string::npos);
  EXPECT_NE(error(".visible .entry k()\n{\nadd.s32 %r1, 1.5, 2;\n}\n").find("a number in line 6, got '1.5'"),
            std::string::npos);
  EXPECT_NE(error(".visible .entry k()\n{\n@%p1 ret;\n}\n").find("expected a predicate in line 6"),
            std::string::npos);
  EXPECT_NE(error(".visible .entry k()\n{\nret;\n").find("expected '}'"), std::string::npos);
}

}  // namespace
}  // namespace ptx
