// The syntax tree of PTX text: kernels with their registers, variables and instructions. Names are resolved.
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

// The windows of the generic address range. They are not canonical addresses on the host, so no allocation
// can lie in them.
constexpr std::uint64_t kSharedWindow = 1ull << 56;
constexpr std::uint64_t kLocalWindow = 2ull << 56;
constexpr std::uint64_t kParamWindow = 3ull << 56;

struct Variable {
  std::string name;
  Space space = Space::global;
  // The address of a global variable, or the offset of any other variable.
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::uint64_t align = 1;
  // True for dynamic shared memory, whose size the launch determines.
  bool dynamic = false;
};

struct SyntaxOperand {
  enum Kind : std::uint8_t { none, register_, immediate, symbol, address, vector, special };
  Kind kind = none;
  bool negated = false;     // !%p
  int reg = -1;             // a register, or the base register of an address
  int second = -1;          // register p of d|p
  std::uint64_t bits = 0;   // value of an immediate
  std::int64_t offset = 0;  // offset of an address
  std::string_view name;    // a symbol (also as the base of an address) or a special register
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
  // Size of each register in bytes; 0 means a predicate.
  std::vector<std::uint8_t> registers;
  std::map<std::string_view, unsigned> labels;
  // Parameters, and the shared and local variables declared in the kernel's body.
  std::map<std::string_view, Variable> variables;
  std::vector<SyntaxInstruction> code;
  unsigned max_threads = 1024;
};

struct Syntax {
  std::deque<SyntaxKernel> kernels;
  std::map<std::string_view, Variable> variables;  // variables of the module
  std::vector<std::unique_ptr<std::uint64_t[]>> storage;
  std::map<unsigned, std::string> files;
};

// Parses `text`, which must outlive the result.
Syntax parse(std::string_view text);

// Returns the size of a type in bytes: "f32" -> 4, "b16" -> 2, "pred" -> 0.
unsigned type_bytes(std::string_view type);

}  // namespace ptx
