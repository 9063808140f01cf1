// Assigns addresses to the shared and local variables that a kernel uses.
#include "decode.h"

namespace ptx {

const Variable* Decoder::find(std::string_view name) const {
  if (const auto p = places_.find(name); p != places_.end()) return &p->second;
  if (const auto v = source_.variables.find(name); v != source_.variables.end()) return &v->second;
  if (const auto v = syntax_.variables.find(name); v != syntax_.variables.end()) return &v->second;
  return nullptr;
}

const Variable& Decoder::variable(std::string_view name) const {
  const Variable* v = find(name);
  if (!v) throw Refusal{"variable " + std::string(name) + " is not declared"};
  return *v;
}

// Assigns an address to the variable `name` if it needs one and has none. Static shared variables are at
// least 16 bytes apart, so that a small overrun of one variable does not reach the next.
void Decoder::place(std::string_view name, bool dynamic) {
  if (places_.contains(name)) return;
  const Variable* v = find(name);
  if (!v || v->dynamic != dynamic || (v->space != Space::shared && v->space != Space::local)) return;
  Variable placed = *v;
  if (v->space == Space::local) {
    placed.address = (kernel_.local_bytes + v->align - 1) / v->align * v->align;
    kernel_.local_bytes = (placed.address + v->size + 15) / 16 * 16;
  } else {
    placed.address = shared_bytes_;
    kernel_.shared.push_back(placed);
  }
  if (v->space == Space::shared && !dynamic) {
    shared_bytes_ = (shared_bytes_ + v->size + 16 + 127) / 128 * 128;
    kernel_.stretches.push_back({placed.address, (placed.address + v->size + 3) / 4 * 4});
  }
  places_[name] = placed;
}

// Dynamic shared memory begins after all static shared variables.
void Decoder::place_variables() {
  for (const bool dynamic : {false, true}) {
    for (const SyntaxInstruction& s : source_.code)
      for (const SyntaxOperand& o : s.operands)
        if (!o.name.empty() && o.reg < 0) place(o.name, dynamic);
    kernel_.static_shared = shared_bytes_;
  }
}

}  // namespace ptx
