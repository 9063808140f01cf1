// Runs mma instructions in blocks of one warp, on fragments that a test fills register by register.
#pragma once

#include <array>
#include <string>

#include "test_kernels.h"

namespace ptx {

template <class T, std::size_t N>
using Fragment = std::array<std::array<T, N>, 32>;  // by lane and register

struct Operands {
  Fragment<std::uint32_t, 4> a{};
  Fragment<std::uint32_t, 2> b{};
  Fragment<float, 4> c{};
};

inline const std::string kTf32 = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32";
inline const std::string kBf16 = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32";

inline std::string mma_kernel(const std::string& opcode) {
  const auto address = [](const std::string& name, int bytes) {
    return "ld.param.u64 %address, [" + name + "];\nmad.wide.u32 %address, %index, " + std::to_string(bytes) +
           ", %address;\n";
  };
  return module_text(
      ".visible .entry multiply(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 d)\n{\n"
      ".reg .b64 %address;\n.reg .b32 %index, %a<4>, %b<2>, %c<4>, %n<2>;\n"
      "mov.u32 %n0, %ctaid.x;\nmov.u32 %n1, %tid.x;\nmad.lo.u32 %index, %n0, 32, %n1;\n" +
      address("a", 16) + "ld.global.v4.b32 {%a0, %a1, %a2, %a3}, [%address];\n" + address("b", 8) +
      "ld.global.v2.b32 {%b0, %b1}, [%address];\n" + address("c", 16) +
      "ld.global.v4.b32 {%c0, %c1, %c2, %c3}, [%address];\n" + opcode +
      " {%c0, %c1, %c2, %c3}, {%a0, %a1, %a2, %a3}, {%b0, %b1}, {%c0, %c1, %c2, %c3};\n" + address("d", 16) +
      "st.global.v4.b32 [%address], {%c0, %c1, %c2, %c3};\nret;\n}\n");
}

// Runs one warp for each element of `operands`.
inline std::vector<Fragment<float, 4>> multiply(const std::string& opcode,
                                                const std::vector<Operands>& operands,
                                                const Options& options = {}) {
  std::vector<Fragment<std::uint32_t, 4>> a;
  std::vector<Fragment<std::uint32_t, 2>> b;
  std::vector<Fragment<float, 4>> c;
  for (const Operands& o : operands) {
    a.push_back(o.a);
    b.push_back(o.b);
    c.push_back(o.c);
  }
  Module module = Module::load(mma_kernel(opcode));
  module.options = options;
  Memory memory;
  auto* d = memory.allocate<Fragment<float, 4>>(operands.size());
  module.launch(memory, "multiply", {static_cast<unsigned>(operands.size())}, {32}, 0, upload(memory, a),
                upload(memory, b), upload(memory, c), d);
  return {d, d + operands.size()};
}

}  // namespace ptx
