// PTX text as a tree: kernels, their registers, variables and instructions, names resolved.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ptx.h"

namespace ptx {

enum class Space : std::uint8_t { generic, global, shared, local, param, constant };

// Where spaces lie in the generic address range: not canonical on the host, so no allocation is ever there.
constexpr std::uint64_t kSharedWindow = 1ull << 56, kLocalWindow = 2ull << 56, kParamWindow = 3ull << 56;

struct Variable {
  std::string name;
  Space space = Space::global;
  std::uint64_t address = 0, size = 0, align = 1;  // an offset, but for global variables
  bool dynamic = false;                            // extern shared memory
};

struct SyntaxOperand {
  enum Kind : std::uint8_t { none, register_, immediate, symbol, address, vector, special } kind = none;
  bool negated = false;    // !%p
  int reg = -1;            // of reg, and the base of an address
  int second = -1;         // the p of d|p
  std::uint64_t bits = 0;  // of an immediate
  std::int64_t offset = 0;
  std::string_view name;  // of a symbol, also as the base of an address; of a special register
  std::vector<SyntaxOperand> elements;
};

struct SyntaxInstruction {
  std::string_view opcode = {}, text = {};
  std::vector<SyntaxOperand> operands = {};
  int predicate = -1;
  bool negated = false;
  unsigned line = 0, source_file = 0, source_line = 0;
};

struct SyntaxKernel {
  std::string name;
  std::vector<Variable> parameters;
  std::uint64_t parameter_bytes = 0;
  std::vector<std::uint8_t> registers;  // bytes of each: 0 predicate, else 2, 4, 8
  std::map<std::string_view, unsigned> labels;
  std::map<std::string_view, Variable> variables;  // shared and local ones declared inside
  std::vector<SyntaxInstruction> code;
  unsigned max_threads = 1024;
};

struct Syntax {
  std::deque<SyntaxKernel> kernels;
  std::map<std::string_view, Variable> variables;         // of the module
  std::vector<std::unique_ptr<std::uint64_t[]>> storage;  // of its global variables
  std::map<unsigned, std::string> files;
};

Syntax parse(std::string_view text);         // which must outlive the result
unsigned type_bytes(std::string_view type);  // "f32" -> 4, "pred" -> 0

}  // namespace ptx
