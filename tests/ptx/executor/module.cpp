// Modules: kernels by name, and launches with their arguments.
#include <algorithm>
#include <cstring>

#include "machine.h"

namespace ptx {

Module Module::load(std::string text) {
  Module m;
  m.program_ = std::make_shared<Program>();
  m.program_->text = std::move(text);
  m.program_->syntax = parse(m.program_->text);
  for (const SyntaxKernel& s : m.program_->syntax.kernels) {
    Kernel& k = m.program_->kernels.emplace_back();
    k.name = s.name;
    k.syntax = &s;
    k.program = m.program_.get();
  }
  return m;
}

std::vector<std::string> Module::kernels() const {
  std::vector<std::string> names;
  for (const Kernel& k : program_->kernels) names.push_back(k.name);
  return names;
}

const Kernel& Module::kernel(std::string_view name) const {
  Kernel* found = nullptr;
  for (Kernel& k : program_->kernels) {
    if (k.name != name && k.name.find(name) == std::string::npos) continue;
    if (found && k.name != name)
      throw Error("[ptx::Module] expected the name of one kernel, got '" + std::string(name) +
                  "', which is part of several names");
    found = &k;
    if (k.name == name) break;
  }
  if (!found) throw Error("[ptx::Module] expected the name of a kernel, got '" + std::string(name) + "'");
  if (found->code.empty()) decode(*found, program_->syntax);
  return *found;
}

std::vector<std::string> Module::unsupported(std::string_view name) const { return kernel(name).refusals; }

Launch Module::prepare(const Kernel& k, Dim3 grid, Dim3 block, std::size_t dynamic_shared,
                       const void* const* arguments) const {
  if (!k.refusals.empty()) throw Error(k.refusals[0]);
  Launch launch{&k, grid, block, dynamic_shared, std::vector<std::byte>(k.syntax->parameter_bytes), false};
  for (std::size_t n = 0; n < k.syntax->parameters.size(); ++n) {
    const Variable& p = k.syntax->parameters[n];
    std::memcpy(launch.parameters.data() + p.address, arguments[n], p.size);
  }
  return launch;
}

void Module::check_sizes(const Kernel& k, std::span<const std::size_t> sizes) const {
  const auto& parameters = k.syntax->parameters;
  if (sizes.size() != parameters.size())
    throw Error(readable_name(k.name) + ": expected " + std::to_string(parameters.size()) +
                " arguments, got " + std::to_string(sizes.size()));
  for (std::size_t n = 0; n < sizes.size(); ++n)
    if (sizes[n] != parameters[n].size)
      throw Error(readable_name(k.name) + ": expected argument " + std::to_string(n) + " to have " +
                  std::to_string(parameters[n].size) + " bytes, got " + std::to_string(sizes[n]));
}

Counters Module::run(Memory& memory, const Launch& launch) const {
  return ptx::run(memory, {&launch, 1}, options).at(0);
}

}  // namespace ptx
