// Formats errors: kernel, line, block and thread, and the positions of warps that never finish.
#include <cxxabi.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

constexpr std::size_t kListed = 16;  // number of lane groups in the report of a hang

const char* name_of(State state, bool waiting) {
  if (waiting) return "wait for other lanes of the warp";
  switch (state) {
    case State::at_barrier:
      return "wait at the barrier";
    case State::at_wait:
      return "wait for the preceding grid";
    case State::paused:
      return "are paused";
    case State::done:
      return "have exited";
    case State::ready:
      break;
  }
  return "run";
}

// Formats "block (0, 0, 0), warp 1, lanes 0xffffffff run at PTX line ...".
std::string where(const Warp& w, const Group& group) {
  const Kernel& kernel = *w.block->grid->kernel;
  const bool stopped = !group.waiting && w.state != State::ready && group.pc > 0;
  char lanes[32];
  std::snprintf(lanes, sizeof lanes, ", lanes 0x%08x ", group.mask);
  return "block " + coordinates(w.block->rank, w.block->grid->launch->grid) + ", warp " +
         std::to_string(w.index) + lanes + name_of(w.state, group.waiting) + " at " +
         place_of(kernel, kernel.code[stopped ? group.pc - 1 : group.pc]);
}

void list_groups(const Warp& w, std::string& text, std::size_t& listed) {
  if (w.state == State::done) return;
  const auto add = [&](const Group& group) {
    if (++listed <= kListed) text += "\n  " + where(w, group);
  };
  if (w.active) add({w.pc, w.active, false});
  for (const Group& group : w.others) add(group);
}

std::string source_place(const Kernel& kernel, unsigned file, unsigned line) {
  const auto& files = kernel.program->syntax.files;
  const auto name = files.find(file);
  return (name == files.end() ? std::string("?") : name->second) + ":" + std::to_string(line);
}

// Returns the call site if the instruction belongs to an inlined function. The preceding .loc directive
// contains it.
std::string inlined_at(const Kernel& kernel, const Instruction& i) {
  const std::string& text = kernel.program->text;
  std::size_t at = 0;
  for (unsigned line = 1; line < i.source->line && at < text.size(); ++line) at = text.find('\n', at) + 1;
  const std::size_t loc = text.rfind(".loc", at);
  if (loc == std::string::npos) return "";
  const std::string directive = text.substr(loc, text.find('\n', loc) - loc);
  const std::size_t call = directive.find("inlined_at ");
  unsigned file = 0, line = 0;
  if (call == std::string::npos ||
      std::sscanf(directive.c_str() + call, "inlined_at %u %u", &file, &line) != 2)
    return "";
  return ", inlined at " + source_place(kernel, file, line);
}

}  // namespace

std::string coordinates(unsigned rank, Dim3 of) {
  char text[48];
  std::snprintf(text, sizeof text, "(%u, %u, %u)", rank % of.x, rank / of.x % of.y, rank / of.x / of.y);
  return text;
}

std::string place_of(const Kernel& kernel, const Instruction& i) {
  std::string source;
  if (i.source->source_line)
    source = " (" + source_place(kernel, i.source->source_file, i.source->source_line) +
             inlined_at(kernel, i) + ")";
  return "PTX line " + std::to_string(i.source->line) + source + ": " + std::string(i.source->text);
}

void Warp::fail(const Instruction& i, int l, const std::string& what) {
  const Grid& grid = *block->grid;
  throw Error(readable_name(grid.kernel->name) + ": " + what + "\n  " + place_of(*grid.kernel, i) +
              "\n  block " + coordinates(block->rank, grid.launch->grid) + ", thread " +
              coordinates(thread(l), grid.launch->block));
}

void Warp::fail_deadlock() {
  std::string text;
  for (const Group& group : others) text += "\n  " + where(*this, group);
  fail(block->grid->kernel->code[others[0].pc], std::countr_zero(others[0].mask),
       "deadlock: lanes wait for lanes of their warp that never arrive" + text);
}

void Grid::fail_hang() const {
  std::string text = readable_name(kernel->name) + ": hang: ";
  text += instructions_left == 0
              ? "not finished after " + std::to_string(options.watchdog) + " warp instructions"
              : std::string("no warp can continue");
  std::size_t listed = 0;
  for (const Block* b : residents)
    for (const Warp& w : b->warps) list_groups(w, text, listed);
  if (listed > kListed) text += "\n  and " + std::to_string(listed - kListed) + " more groups of lanes";
  throw Error(text);
}

std::string readable_name(const std::string& mangled) {
  int status = 1;
  char* plain = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 ? plain : mangled;
  std::free(plain);
  return name;
}

std::string short_name(const std::string& mangled) {
  std::string name = readable_name(mangled);
  for (const char* noise : {"gpuvae::kernels::", "(anonymous namespace)::", "void "})
    for (std::size_t at; (at = name.find(noise)) != std::string::npos;) name.erase(at, std::strlen(noise));
  int depth = 0;
  for (std::size_t k = 0; k < name.size(); ++k) {
    depth += (name[k] == '<') - (name[k] == '>');
    if (name[k] == '(' && depth == 0) return name.substr(0, k);
  }
  return name;
}

}  // namespace ptx
