// Modules: what was loaded, and how it is launched. And the report of a launch.
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
    k.name = s.name, k.syntax = &s, k.program = m.program_.get();
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
      throw Error("ptx: more than one kernel is called like '" + std::string(name) + "'");
    found = &k;
    if (k.name == name) break;
  }
  if (!found) throw Error("ptx: no kernel '" + std::string(name) + "'");
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
    throw Error(k.name + " takes " + std::to_string(parameters.size()) + " arguments, got " +
                std::to_string(sizes.size()));
  for (std::size_t n = 0; n < sizes.size(); ++n)
    if (sizes[n] != parameters[n].size)
      throw Error(k.name + ": argument " + std::to_string(n) + " has " + std::to_string(parameters[n].size) +
                  " bytes, got " + std::to_string(sizes[n]));
}

Counters Module::run(Memory& memory, const Launch& launch) const {
  return ptx::run(memory, {&launch, 1}, options).at(0);
}

std::string_view name(Class c) {
  constexpr std::string_view kNames[] = {"integer", "float32", "float64", "special", "convert", "move",
                                         "compare", "branch",  "global",  "shared",  "local",   "param",
                                         "shuffle", "matrix",  "barrier", "other"};
  return kNames[std::size_t(c)];
}

void Accesses::operator+=(const Accesses& o) {
  requests += o.requests, bytes += o.bytes, transactions += o.transactions, least += o.least;
}

std::string Counters::report() const {
  char line[256];
  std::snprintf(line, sizeof line,
                "%llu blocks, %llu warps, %llu warp instructions, %.1f lanes on average, %llu divergent "
                "branches, %llu barriers\n",
                static_cast<unsigned long long>(blocks), static_cast<unsigned long long>(warps),
                static_cast<unsigned long long>(warp_instructions),
                warp_instructions ? double(lane_instructions) / double(warp_instructions) : 0.0,
                static_cast<unsigned long long>(divergent_branches),
                static_cast<unsigned long long>(barriers));
  std::string text = line;
  for (std::size_t k = 0; k < instructions.size(); ++k) {
    if (!instructions[k]) continue;
    std::snprintf(line, sizeof line, "  %s %llu", std::string(name(Class(k))).c_str(),
                  static_cast<unsigned long long>(instructions[k]));
    text += line;
  }
  text += "\n";
  const auto add = [&](const char* what, const char* unit, const Accesses& a) {
    if (!a.requests) return;
    std::snprintf(line, sizeof line, "  %-13s %9llu requests %11llu bytes %9llu %s, %.2f of the least\n",
                  what, static_cast<unsigned long long>(a.requests), static_cast<unsigned long long>(a.bytes),
                  static_cast<unsigned long long>(a.transactions), unit,
                  a.least ? double(a.transactions) / double(a.least) : 1.0);
    text += line;
  };
  add("global load", "sectors", global_load), add("global store", "sectors", global_store);
  add("shared load", "passes", shared_load), add("shared store", "passes", shared_store),
      add("local", "-", local);
  if (worst_bank_conflict) text += "  worst bank conflict " + std::to_string(worst_bank_conflict) + "\n";
  return text;
}

}  // namespace ptx
