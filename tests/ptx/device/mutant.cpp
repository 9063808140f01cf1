// Changes one instruction of a kernel for `make mutants`, and records which test executes which instructions.
#include "mutant.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>

#include "machine.h"

namespace emulator {
namespace detail {
namespace {

constexpr int kRefused = 70, kNotLoaded = 71;

[[noreturn]] void refuse(const std::string& what, int status = kRefused) {
  std::fprintf(stderr, "[mutant] %s\n", what.c_str());
  std::_Exit(status);
}

struct Mutant {
  int target = 0;
  std::string kernel, before, after;
  std::size_t line = 0;
  bool applied = false;
};

Mutant read_mutant(const char* path) {
  Mutant m;
  std::ifstream file(path);
  if (!file) refuse("expected a file, got '" + std::string(path) + "'");
  for (std::string text; std::getline(file, text);) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string key = text.substr(0, space), value = text.substr(std::min(space + 1, text.size()));
    if (key == "target")
      m.target = std::atoi(value.c_str());
    else if (key == "kernel")
      m.kernel = value;
    else if (key == "line")
      m.line = std::strtoull(value.c_str(), nullptr, 10);
    else if (key == "old")
      m.before = value;
    else if (key == "new")
      m.after = value;
    else
      refuse("expected target, kernel, line, old or new, got '" + text + "'");
  }
  return m;
}

std::optional<Mutant>& mutant() {
  static auto& all = *new std::optional<Mutant>([]() -> std::optional<Mutant> {
    const char* path = std::getenv("PTX_MUTANT");
    return path ? std::optional(read_mutant(path)) : std::nullopt;
  }());
  return all;
}

struct Coverage {
  std::ofstream file;
  std::string test = "-";
  // The instructions that this test has executed, by place in the kernel's code.
  std::map<const ptx::Kernel*, std::vector<bool>> reached;
};

Coverage* coverage() {
  static Coverage* const all = [] {
    const char* path = std::getenv("PTX_COVERAGE");
    return path ? new Coverage{std::ofstream(path), "-", {}} : nullptr;
  }();
  return all;
}

// Returns the line of the kernel's .entry in the text of its module, counted from 1.
unsigned entry_line(const ptx::Kernel& kernel) {
  const std::string& text = kernel.program->text;
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(text.find(".entry " + kernel.name + "("));
  return 1 + static_cast<unsigned>(std::count(text.begin(), end, '\n'));
}

void write_coverage() {
  Coverage& c = *coverage();
  for (const auto& [kernel, reached] : c.reached) {
    c.file << c.test << '\t' << kernel->name;
    const unsigned entry = entry_line(*kernel);
    char separator = '\t';
    for (std::size_t k = 0; k < reached.size(); ++k) {
      if (!reached[k]) continue;
      const std::size_t first = k;
      while (k + 1 < reached.size() && reached[k + 1]) ++k;
      c.file << separator << kernel->code[first].source->line - entry << '-'
             << kernel->code[k].source->line - entry;
      separator = ',';
    }
    c.file << '\n';
  }
  c.file.flush();
  c.reached.clear();
}

struct Digest {
  const char* const path = std::getenv("PTX_DIGEST");
  std::uint64_t value = 0xcbf29ce484222325ull;  // FNV-1a
};
Digest& digest() {
  static auto& all = *new Digest;
  return all;
}

void at_exit() {
  if (coverage()) write_coverage();
  if (digest().path) std::ofstream(digest().path) << digest().value << '\n';
  if (mutant() && !mutant()->applied) refuse("the program loaded no kernel " + mutant()->kernel, kNotLoaded);
}

// Static objects of the library are created before main, so this check runs even if no kernel is ever loaded.
[[maybe_unused]] const int registered = std::atexit(at_exit);

}  // namespace

std::string apply_mutant(std::string text, int target) {
  if (!mutant() || mutant()->target != target) return text;
  Mutant& m = *mutant();
  std::size_t at = text.find(".entry " + m.kernel + "(");
  if (at == std::string::npos) return text;
  for (std::size_t line = 0; line < m.line && at != std::string::npos; ++line) {
    at = text.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  if (at == std::string::npos || text.compare(at, m.before.size() + 1, m.before + "\n") != 0)
    refuse("line " + std::to_string(m.line) + " of " + m.kernel + ": expected '" + m.before + "', got '" +
           (at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at)) + "'");
  text.replace(at, m.before.size(), m.after);
  m.applied = true;
  std::fprintf(stderr, "[mutant] applied\n");
  return text;
}

void note_coverage(const ptx::Kernel& kernel, const std::vector<std::uint64_t>& executed) {
  Coverage* const c = coverage();
  if (!c) return;
  std::vector<bool>& reached = c->reached[&kernel];
  reached.resize(executed.size());
  for (std::size_t k = 0; k < executed.size(); ++k)
    if (executed[k]) reached[k] = true;
}

void note_result(const void* bytes, std::size_t count) {
  Digest& d = digest();
  if (!d.path) return;
  for (std::size_t k = 0; k < count; ++k)
    d.value = (d.value ^ static_cast<const unsigned char*>(bytes)[k]) * 0x100000001b3ull;
}

}  // namespace detail

void set_running_test(const std::string& name) {
  if (detail::Coverage* const c = detail::coverage()) {
    detail::write_coverage();
    c->test = name;
  }
}

}  // namespace emulator
