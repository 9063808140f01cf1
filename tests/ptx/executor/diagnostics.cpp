// The texts of errors: which kernel, line, block and thread, and where warps stand that do not come to an end.
#include <cxxabi.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

constexpr std::size_t kListed = 16;  // groups of lanes in the report of a hang

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

// "block (0, 0, 0), warp 1, lanes 0xffffffff run at PTX line ...".
std::string where(const Warp& w, const Group& group) {
  const Kernel& kernel = *w.block->grid->kernel;
  const bool stopped = !group.waiting && w.state != State::ready && group.pc > 0;
  char lanes[32];
  std::snprintf(lanes, sizeof lanes, ", lanes 0x%08x ", group.mask);
  return "block " + coordinates(w.block->rank, w.block->grid->launch->grid) + ", warp " + std::to_string(w.index) +
         lanes + name_of(w.state, group.waiting) + " at " +
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

}  // namespace

std::string coordinates(unsigned rank, Dim3 of) {
  return "(" + std::to_string(rank % of.x) + ", " + std::to_string(rank / of.x % of.y) + ", " +
         std::to_string(rank / of.x / of.y) + ")";
}

std::string place_of(const Kernel& kernel, const Instruction& i) {
  std::string source;
  if (i.source->source_line) {
    const auto& files = kernel.program->syntax.files;
    const auto file = files.find(i.source->source_file);
    source = " (" + (file == files.end() ? std::string("?") : file->second) + ":" +
             std::to_string(i.source->source_line) + ")";
  }
  return "PTX line " + std::to_string(i.source->line) + source + ": " + std::string(i.source->text);
}

void Warp::fail(const Instruction& i, int l, const std::string& what) {
  const Grid& grid = *block->grid;
  throw Error(readable_name(grid.kernel->name) + ": " + what + "\n  " + place_of(*grid.kernel, i) + "\n  block " +
              coordinates(block->rank, grid.launch->grid) + ", thread " +
              coordinates(thread(l), grid.launch->block));
}

void Warp::fail_deadlock() {
  std::string text;
  for (const Group& group : others) text += "\n  " + where(*this, group);
  fail(block->grid->kernel->code[others[0].pc], std::countr_zero(others[0].mask),
       "deadlock: lanes wait for lanes of their warp that do not come" + text);
}

void Grid::fail_hang() const {
  std::string text = readable_name(kernel->name) + ": hang: ";
  text += instructions_left == 0 ? "no end after " + std::to_string(options.watchdog) + " warp instructions"
                                 : std::string("no warp can go on");
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
