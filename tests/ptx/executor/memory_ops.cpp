// Loads, stores and atomics of a warp. The addresses of all lanes are translated, the access is counted for
// the profile and checked in all lanes, and only then is it executed.
#include <algorithm>
#include <bit>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

inline void examine(Warp& w, const Instruction& i, const Access& a) {
  const Options& options = w.block->grid->options;
  if (options.profile) profile(w, i, a);
  if (options.uninitialized) check_initialised(w, i, a);
  if (options.races && (a.space == Space::global || a.space == Space::shared)) check_races(w, i, a);
}

bool delayed(const Warp& w, const Access& a) {
  return w.block->grid->options.delayed_stores && a.space == Space::global;
}

// The values that a block sees at the addresses of an access: global memory, overlaid by the block's pending
// stores. With `all_blocks`, the pending stores of other blocks are included too, which gives the final
// values.
struct Overlay {
  alignas(16) char bytes[kLanes][16];
  void look(const Warp& w, Access& a, bool all_blocks) {
    for (uint32_t left = w.active; left; left &= left - 1) {
      const int l = std::countr_zero(left);
      std::memcpy(bytes[l], a.data[l], a.bytes);
      if (all_blocks) overlay_other_blocks(*w.block->grid, a, l);
      w.block->stores.overlay(a.address[l], bytes[l], a.bytes);
      a.data[l] = bytes[l];
    }
    in_place = false;
  }
  bool in_place = true;  // a.data points to the memory itself

 private:
  void overlay_other_blocks(const Grid& grid, const Access& a, int l) {
    for (const StoreBuffer& stores : grid.unpublished) stores.overlay(a.address[l], bytes[l], a.bytes);
    for (const Block* b : grid.residents) b->stores.overlay(a.address[l], bytes[l], a.bytes);
  }
};

// Loads a parameter with a constant offset: one value for all lanes.
template <class M, class R>
void load_parameter(Warp& w, const Instruction& i) {
  Access a;
  a.bytes = static_cast<unsigned>(sizeof(M)) * i.count;
  const int first = std::countr_zero(w.active);
  const uint32_t active = w.active;
  w.active = 1u << first;
  translate(w, i, kNoSlot, a);
  Grid& grid = *w.block->grid;
  char& checked = grid.parameter_checked[static_cast<std::size_t>(&i - grid.kernel->code.data())];
  if (grid.options.uninitialized && !checked) check_initialised(w, i, a);
  checked = 1;
  w.active = active;
  for (int k = 0; k < i.count; ++k) {
    if (i.operand[k] == kNoSlot) continue;
    M x;
    std::memcpy(&x, a.data[first] + static_cast<std::size_t>(k) * sizeof(M), sizeof x);
    R* d = w.at<R>(i.operand[k]);
    for (Slot l = 0; l < kLanes; ++l) d[l] = w.lane[l] ? static_cast<R>(x) : d[l];
  }
}

// Loads neighbouring values of all lanes, `count` per lane.
template <class M, class R>
void load_row(R* d, const char* from, std::size_t count) {
  const auto copy = [&](std::size_t distance) {
    for (Slot l = 0; l < kLanes; ++l) {
      M x;
      std::memcpy(&x, from + l * distance * sizeof(M), sizeof x);
      d[l] = static_cast<R>(x);
    }
  };
  if (count == 1) return copy(1);
  count == 2 ? copy(2) : copy(4);
}

template <class M, class R>
void load_lanes(const Warp& w, R* d, const Access& a, std::size_t at) {
  if (w.full) {
    for (Slot l = 0; l < kLanes; ++l) {
      M x;
      std::memcpy(&x, a.data[l] + at, sizeof x);
      d[l] = static_cast<R>(x);
    }
    return;
  }
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    M x;
    std::memcpy(&x, a.data[l] + at, sizeof x);
    d[l] = static_cast<R>(x);
  }
}

// M is the type in memory, R the type of the registers, which may be wider.
template <class M, class R>
void load(Warp& w, const Instruction& i) {
  if (i.space == Space::param && i.operand[4] == kNoSlot) return load_parameter<M, R>(w, i);
  Access a;
  a.bytes = static_cast<unsigned>(sizeof(M)) * i.count;
  translate(w, i, i.operand[4], a);
  examine(w, i, a);
  Overlay overlay;
  if (delayed(w, a) && !w.block->stores.empty()) overlay.look(w, a, false);
  for (int k = 0; k < i.count; ++k) {
    if (i.operand[k] == kNoSlot) continue;
    R* d = w.at<R>(i.operand[k]);
    const std::size_t at = static_cast<std::size_t>(k) * sizeof(M);
    if (w.full && overlay.in_place && a.is_contiguous())
      load_row<M>(d, a.data[0] + at, i.count);
    else
      load_lanes<M>(w, d, a, at);
  }
}

void store_delayed(Warp& w, const Instruction& i, Access& a) {
  Overlay overlay;
  overlay.look(w, a, true);
  examine(w, i, a);
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    char value[16];
    a.copy_value(l, value);
    w.block->stores.store(a.address[l], value, a.bytes, moment_of(w, l));
  }
}

// Writes one element per lane. Lanes that store to the same address do so in lane order.
template <class M, class R>
void store_element(const Warp& w, const Access& a, const R* from, std::size_t at) {
  if (w.full && a.is_contiguous() && a.bytes == sizeof(M)) {
    char* to = a.data[0];
    for (Slot l = 0; l < kLanes; ++l) {
      const M x = static_cast<M>(from[l]);
      std::memcpy(to + l * sizeof(M), &x, sizeof x);
    }
    return;
  }
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    const M x = static_cast<M>(from[l]);
    std::memcpy(a.data[l] + at, &x, sizeof x);
  }
}

template <class M, class R>
void store(Warp& w, const Instruction& i) {
  Access a;
  a.bytes = static_cast<unsigned>(sizeof(M)) * i.count;
  a.store = true;
  a.element_bytes = sizeof(M);
  a.register_bytes = sizeof(R);
  for (int k = 0; k < i.count; ++k) a.registers[k] = w.at<char>(i.operand[k]);
  translate(w, i, i.operand[4], a);
  if (delayed(w, a)) return store_delayed(w, i, a);
  examine(w, i, a);
  for (int k = 0; k < i.count; ++k)
    store_element<M>(w, a, w.at<R>(i.operand[k]), static_cast<std::size_t>(k) * sizeof(M));
}

enum Atomic : std::uint8_t { kAdd, kMin, kMax, kInc, kDec, kExch, kCas, kAnd, kOr, kXor };
template <class T>
T combined(std::uint8_t mode, T old, T b, T c) {
  switch (mode) {
    case kAdd:
      return static_cast<T>(old + b);
    case kMin:
      return std::min(old, b);
    case kMax:
      return std::max(old, b);
    case kExch:
      return b;
    case kCas:
      return old == b ? c : old;
    case kInc:
      return old >= b ? T(0) : static_cast<T>(old + 1);
    case kDec:
      return old == T(0) || old > b ? b : static_cast<T>(old - 1);
  }
  if constexpr (std::is_integral_v<T>)
    return mode == kAnd  ? static_cast<T>(old & b)
           : mode == kOr ? static_cast<T>(old | b)
                         : static_cast<T>(old ^ b);
  return old;
}
// Executes d, [a], b, c for one lane after another. red has no d.
template <class T>
void atomic(Warp& w, const Instruction& i) {
  Access a;
  a.bytes = sizeof(T);
  a.store = a.atomic = true;
  translate(w, i, i.operand[4], a);
  examine(w, i, a);
  const T* b = w.at<T>(i.operand[1]);
  const T* c = i.operand[2] == kNoSlot ? b : w.at<T>(i.operand[2]);
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    if (a.space == Space::global) {
      if (w.block->grid->options.races) acquire_and_release(w, a.address[l], l);
      w.block->stores.publish(a.address[l], a.bytes);
    }
    T old;
    std::memcpy(&old, a.data[l], sizeof old);
    const T now = combined<T>(i.mode, old, b[l], c[l]);
    std::memcpy(a.data[l], &now, sizeof now);
    if (i.operand[0] != kNoSlot) w.at<T>(i.operand[0])[l] = old;
  }
}

// cvta converts an address between a space and the generic range; i.offset is the window.
void to_generic(Warp& w, const Instruction& i) {
  map1<uint64_t, uint64_t>(w, i,
                           [&, window = static_cast<uint64_t>(i.offset)](uint64_t x) { return x + window; });
}

template <class M>
Handler by_register(bool is_store, unsigned bytes) {
  if (bytes < sizeof(M)) return nullptr;
  if (bytes == 2) return is_store ? store<M, std::uint16_t> : load<M, std::uint16_t>;
  if (bytes == 4) return is_store ? store<M, uint32_t> : load<M, uint32_t>;
  if (bytes == 8) return is_store ? store<M, uint64_t> : load<M, uint64_t>;
  return nullptr;
}

}  // namespace

Handler memory_handler(const Opcode& op, unsigned register_bytes) {
  const std::string_view type = op.type();
  if (op.base == "cvta") return to_generic;
  if (op.base == "atom" || op.base == "red") {
    if (type == "f32") return atomic<float>;
    if (type == "f64") return atomic<double>;
    if (type == "s32") return atomic<std::int32_t>;
    if (type == "s64") return atomic<std::int64_t>;
    return type_bytes(type) == 4 ? atomic<uint32_t> : type_bytes(type) == 8 ? atomic<uint64_t> : nullptr;
  }
  const bool is_store = op.base == "st", is_signed = type[0] == 's';
  if (op.base != "ld" && !is_store) return nullptr;
  switch (type_bytes(type)) {
    case 1:
      return is_signed ? by_register<std::int8_t>(is_store, register_bytes)
                       : by_register<std::uint8_t>(is_store, register_bytes);
    case 2:
      return is_signed ? by_register<std::int16_t>(is_store, register_bytes)
                       : by_register<std::uint16_t>(is_store, register_bytes);
    case 4:
      return is_signed ? by_register<std::int32_t>(is_store, register_bytes)
                       : by_register<uint32_t>(is_store, register_bytes);
    case 8:
      return by_register<uint64_t>(is_store, register_bytes);
  }
  return nullptr;
}

}  // namespace ptx
