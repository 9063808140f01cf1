// Adds the counters of launches and formats them as text and as JSON.
#include <algorithm>
#include <array>

#include "ptx.h"

namespace ptx {
namespace {

using Member = Accesses Counters::*;
struct NamedMember {
  const char* name;
  const char* unit;
  Member member;
};
constexpr std::array<NamedMember, 7> kAccesses{{{"global_load", "sectors", &Counters::global_load},
                                                {"global_store", "sectors", &Counters::global_store},
                                                {"global_atomic", "sectors", &Counters::global_atomic},
                                                {"shared_load", "passes", &Counters::shared_load},
                                                {"shared_store", "passes", &Counters::shared_store},
                                                {"shared_atomic", "passes", &Counters::shared_atomic},
                                                {"local", "transactions", &Counters::local}}};

template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

unsigned long long number(std::uint64_t x) { return x; }

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string_view name(Class c) {
  constexpr std::string_view kNames[] = {"integer", "float32", "float64", "special", "convert", "move",
                                         "compare", "branch",  "global",  "shared",  "local",   "param",
                                         "shuffle", "matrix",  "barrier", "other"};
  return kNames[std::size_t(c)];
}

void Counters::operator+=(const Counters& o) {
  if (kernel.empty()) kernel = o.kernel;
  launches += o.launches;
  blocks += o.blocks;
  warps += o.warps;
  warp_instructions += o.warp_instructions;
  lane_instructions += o.lane_instructions;
  divergent_branches += o.divergent_branches;
  barriers += o.barriers;
  for (std::size_t k = 0; k < instructions.size(); ++k) instructions[k] += o.instructions[k];
  for (const NamedMember& m : kAccesses) this->*m.member += o.*m.member;
  worst_bank_conflict = std::max(worst_bank_conflict, o.worst_bank_conflict);
}

std::string Counters::report() const {
  const double lanes = warp_instructions ? double(lane_instructions) / double(warp_instructions) : 0.0;
  std::string text = format(
      "%llu launches, %llu blocks, %llu warps, %llu warp instructions, %.1f active lanes on average, %llu "
      "divergent "
      "branches, %llu barriers\n",
      number(launches), number(blocks), number(warps), number(warp_instructions), lanes,
      number(divergent_branches), number(barriers));
  for (std::size_t k = 0; k < instructions.size(); ++k)
    if (instructions[k]) text += "  " + std::string(name(Class(k))) + " " + std::to_string(instructions[k]);
  text += "\n";
  for (const NamedMember& m : kAccesses) {
    const Accesses& a = this->*m.member;
    if (!a.requests) continue;
    text += format("  %-13s %9llu requests %11llu bytes %9llu %s, %.2f times the minimum\n", m.name,
                   number(a.requests), number(a.bytes), number(a.transactions), m.unit,
                   a.least ? double(a.transactions) / double(a.least) : 1.0);
  }
  if (worst_bank_conflict) text += "  worst bank conflict " + std::to_string(worst_bank_conflict) + "\n";
  return text;
}

std::string Counters::json() const {
  std::string text = format(
      "{\"launches\": %llu, \"blocks\": %llu, \"warps\": %llu, \"warp_instructions\": %llu, "
      "\"lane_instructions\": "
      "%llu, \"divergent_branches\": %llu, \"barriers\": %llu, \"worst_bank_conflict\": %u, \"by_class\": {",
      number(launches), number(blocks), number(warps), number(warp_instructions), number(lane_instructions),
      number(divergent_branches), number(barriers), worst_bank_conflict);
  bool first = true;
  for (std::size_t k = 0; k < instructions.size(); ++k) {
    if (!instructions[k]) continue;
    text +=
        (first ? "" : ", ") + quoted(std::string(name(Class(k)))) + ": " + std::to_string(instructions[k]);
    first = false;
  }
  text += "}";
  for (const NamedMember& m : kAccesses) {
    const Accesses& a = this->*m.member;
    if (a.requests)
      text += format(", \"%s\": {\"requests\": %llu, \"bytes\": %llu, \"%s\": %llu, \"least\": %llu}", m.name,
                     number(a.requests), number(a.bytes), m.unit, number(a.transactions), number(a.least));
  }
  return text + "}";
}

std::string json(const std::map<std::string, Counters>& kernels) {
  std::string text = "{\"kernels\": {";
  bool first = true;
  for (const auto& [name, counters] : kernels) {
    text += (first ? "\n  " : ",\n  ") + quoted(name) + ": " + counters.json();
    first = false;
  }
  return text + "\n}}\n";
}

}  // namespace ptx
