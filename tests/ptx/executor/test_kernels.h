// Helpers for tests of the executor: modules, arrays in device memory, and the evaluation of single
// instructions.
#pragma once

#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "library.h"
#include "ptx.h"

namespace ptx {

// Loads the module that gpuvae_add_ptx(NAME ...) compiles.
inline Module load_module(const std::string& name) {
  return Module::load(texts_of(std::string(GPUVAE_PTX_DIR) + "/" + name + ".ptx").at(0));
}

template <class T>
T* upload(Memory& memory, const std::vector<T>& values, const char* name = "") {
  T* p = memory.allocate<T>(values.size(), name);
  std::memcpy(p, values.data(), values.size() * sizeof(T));
  memory.mark_written(p, values.size() * sizeof(T));
  return p;
}

inline std::string module_text(const std::string& kernel) {
  return ".version 8.7\n.target sm_90\n.address_size 64\n" + kernel;
}

namespace detail {

template <class T>
std::string load_input(std::size_t k) {
  const std::string number = std::to_string(k), bits = std::to_string(8 * sizeof(T));
  return ".reg .b" + bits + " %a" + number + ";\nld.param.u64 %address, [in" + number +
         "];\nmad.wide.u32 %address, %index, " + std::to_string(sizeof(T)) + ", %address;\nld.global.b" +
         bits + " %a" + number + ", [%address];\n";
}

}  // namespace detail

// Returns a kernel whose thread n computes out[n] from in0[n], in1[n], ...: `body` reads the registers %a0,
// %a1, ... and writes %d. It may use the predicates %q0 to %q3.
template <class D, class... A>
std::string instruction_kernel(const std::string& body) {
  std::string parameters = ".param .u64 out, .param .u32 count", loads;
  std::size_t k = 0;
  ((parameters += ", .param .u64 in" + std::to_string(k), loads += detail::load_input<A>(k), ++k), ...);
  const std::string bits = std::to_string(8 * sizeof(D));
  return module_text(".visible .entry instruction(" + parameters +
                     ")\n{\n.reg .pred %q<4>;\n.reg .pred %outside;\n.reg .b32 %index;\n.reg .b32 %n<2>;\n"
                     ".reg .b64 %address;\n.reg .b" +
                     bits +
                     " %d;\nmov.u32 %n0, %ctaid.x;\nmov.u32 %n1, %tid.x;\nmad.lo.u32 %index, %n0, 32, %n1;\n"
                     "ld.param.u32 %n0, [count];\nsetp.ge.u32 %outside, %index, %n0;\n@%outside ret;\n" +
                     loads + body + "\nld.param.u64 %address, [out];\nmad.wide.u32 %address, %index, " +
                     std::to_string(sizeof(D)) + ", %address;\nst.global.b" + bits +
                     " [%address], %d;\nret;\n}\n");
}

// Returns the results of `body` for each element of the inputs, which have equal lengths.
template <class D, class... A>
std::vector<D> evaluate(const std::string& body, const Options& options, const std::vector<A>&... in) {
  const std::size_t sizes[] = {in.size()...};
  const auto count = static_cast<unsigned>(sizes[0]);
  Module module = Module::load(instruction_kernel<D, A...>(body));
  module.options = options;
  Memory memory;
  D* out = memory.allocate<D>(count);
  module.launch(memory, "instruction", {(count + 31) / 32}, {32}, 0, out, count, upload(memory, in)...);
  return std::vector<D>(out, out + count);
}
template <class D, class... A>
std::vector<D> evaluate(const std::string& body, const std::vector<A>&... in) {
  return evaluate<D>(body, Options(), in...);
}

// Returns all pairs of the values, as two columns.
template <class T>
std::pair<std::vector<T>, std::vector<T>> pairs(const std::vector<T>& values) {
  std::pair<std::vector<T>, std::vector<T>> columns;
  for (const T a : values)
    for (const T b : values) {
      columns.first.push_back(a);
      columns.second.push_back(b);
    }
  return columns;
}

}  // namespace ptx
