#include "opcode.h"

#include <algorithm>

namespace ptx {
namespace {

// One line per form: the base, then its modifiers in the order of the PTX ISA manual. a|b is a choice, and a
// trailing ? makes a modifier optional. Forms with .wide or .approx have separate lines because not all types
// support them.
constexpr std::string_view kForms[] = {
    // Floating point.
    "add rn|rz|rm|rp? f32",
    "sub rn|rz|rm|rp? f32",
    "mul rn|rz|rm|rp? f32",
    "fma rn|rz|rm|rp f32",
    "add|sub|mul rn? ftz? sat? f32",
    "fma rn ftz? sat? f32",
    "add|sub|mul rn? f64",
    "fma|div rn f64",
    "div|rcp|sqrt rn ftz? f32",
    "rcp|sqrt rn f64",
    "min|max|abs|neg ftz? f32",
    "min|max|abs|neg|copysign f64",
    "copysign f32",
    "div approx|full ftz? f32",
    "rcp|sqrt|rsqrt|sin|cos|lg2|ex2 approx ftz? f32",
    "tanh approx f32",
    "rcp approx ftz f64",
    // Integers and bits.
    "add|sub|min|max u16|s16|u32|s32|u64|s64",
    "mul|mad lo|hi u16|s16|u32|s32|u64|s64",
    "mul|mad wide u16|s16|u32|s32",
    "div|rem u16|s16|u32|s32|u64|s64",
    "neg|abs s16|s32|s64",
    "and|or|xor|not b16|b32|b64|pred",
    "shl b16|b32|b64",
    "shr b16|b32|b64|u16|u32|u64|s16|s32|s64",
    "bfe u32|s32|u64|s64",
    "bfi|popc|clz|brev b32|b64",
    "lop3|prmt b32",
    "shf l|r wrap|clamp b32",
    // Moves, selections, comparisons.
    "mov b16|u16|s16|b32|u32|s32|f32|b64|u64|s64|f64|pred",
    "selp b16|u16|s16|b32|u32|s32|f32|b64|u64|s64|f64",
    "setp eq|ne|lt|le|gt|ge and|or|xor? s16|s32|s64|f32|f64",
    "setp eq|ne|lt|le|gt|ge|lo|ls|hi|hs and|or|xor? u16|u32|u64",
    "setp eq|ne and|or|xor? b16|b32|b64",
    "setp equ|neu|ltu|leu|gtu|geu|num|nan and|or|xor? f32|f64",
    // Conversions.
    "cvt sat? u8|s8|u16|s16|u32|s32|u64|s64 u8|s8|u16|s16|u32|s32|u64|s64",
    "cvt rni|rzi|rmi|rpi ftz? sat? u8|s8|u16|s16|u32|s32|u64|s64 f32",
    "cvt rni|rzi|rmi|rpi sat? u8|s8|u16|s16|u32|s32|u64|s64 f64",
    "cvt rn|rz|rm|rp sat? f32|f64 u8|s8|u16|s16|u32|s32|u64|s64",
    "cvt rn|rz|rm|rp sat? f32 f64",
    "cvt sat? f64 f32",
    "cvt ftz? sat? f32 f32",
    "cvt rni|rzi|rmi|rpi sat? f32 f32",
    "cvt rni|rzi|rmi|rpi sat? f64 f64",
    "cvt rna tf32 f32",
    "cvt rn bf16|bf16x2 f32",
    "cvt f32 bf16",
    // Memory.
    "ld global|shared|shared::cta|local|param? v2|v4? u8|s8|b8|u16|s16|b16|u32|s32|b32|f32|u64|s64|b64|f64",
    "ld global ca|cg|cs|lu|cv|nc v2|v4? u8|s8|b8|u16|s16|b16|u32|s32|b32|f32|u64|s64|b64|f64",
    "ld const u8|s8|b8|u16|s16|b16|u32|s32|b32|f32|u64|s64|b64|f64",
    "st global|shared|shared::cta|local? v2|v4? u8|s8|b8|u16|s16|b16|u32|s32|b32|f32|u64|s64|b64|f64",
    "st global wb|cg|cs|wt v2|v4? u8|s8|b8|u16|s16|b16|u32|s32|b32|f32|u64|s64|b64|f64",
    "atom|red global|shared|shared::cta? inc|dec u32",
    "atom|red global|shared|shared::cta? add u32|s32|u64|f32|f64",
    "atom|red global|shared|shared::cta? min|max u32|s32|u64|s64",
    "atom|red global|shared|shared::cta? and|or|xor b32|b64",
    "atom global|shared|shared::cta? exch|cas b32|b64",
    "cvta to? global|shared|local|param u64",
    // Operations of a warp or a block.
    "bra uni?",
    "ret uni?",
    "exit",
    "bar|barrier sync",
    "barrier sync aligned",
    "bar warp sync",
    "shfl sync up|down|bfly|idx b32",
    "vote sync all|any|uni pred",
    "vote sync ballot b32",
    "activemask b32",
    "membar cta|gl|sys",
    "fence acq_rel|sc cta|gpu|sys",
    "fence proxy alias",
    "griddepcontrol wait|launch_dependents",
    "nanosleep u32",
    "mma sync aligned m16n8k8 row col f32 tf32 tf32 f32",
    "mma sync aligned m16n8k16 row col f32 bf16 bf16 f32",
};

// Returns the text up to the next separator and removes both from `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view first = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return first;
}

bool is_choice(std::string_view choices, std::string_view part) {
  while (!choices.empty())
    if (cut(choices, '|') == part) return true;
  return false;
}

bool matches(std::string_view form, const Opcode& op) {
  if (!is_choice(cut(form, ' '), op.base)) return false;
  std::size_t next = 0;
  while (!form.empty()) {
    std::string_view modifier = cut(form, ' ');
    const bool optional = modifier.ends_with('?');
    if (optional) modifier.remove_suffix(1);
    if (next < op.parts.size() && is_choice(modifier, op.parts[next]))
      ++next;
    else if (!optional)
      return false;
  }
  return next == op.parts.size();
}

}  // namespace

Opcode::Opcode(std::string_view text) {
  base = cut(text, '.');
  while (!text.empty()) parts.push_back(cut(text, '.'));
}

bool Opcode::has(std::string_view part) const {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

std::string_view Opcode::type(unsigned from_last) const {
  return parts.size() > from_last ? parts[parts.size() - 1 - from_last] : std::string_view();
}

bool Opcode::is_known() const {
  return std::any_of(std::begin(kForms), std::end(kForms),
                     [&](std::string_view form) { return matches(form, *this); });
}

}  // namespace ptx
