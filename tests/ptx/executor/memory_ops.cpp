// Loads, stores and atomics of a warp: addresses are translated and checked lane by lane, then counted,
// checked for races, and only then carried out.
#include <algorithm>
#include <bit>
#include <cstring>

#include "machine.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

std::string hex(uint64_t x) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(x));
  return text;
}
const char* what(const Access& a) { return a.atomic ? "atomic" : a.store ? "store" : "load"; }
std::string what(const Access& a, const char* space) {
  return std::to_string(a.bytes) + "-byte " + what(a) + " to " + space + " memory";
}

constexpr const char* kSpaces[] = {"generic", "global", "shared", "local", "param", "constant"};

// The window of the generic range that an address is in.
Space window_of(uint64_t address) {
  switch (address >> 56) {
    case 1:
      return Space::shared;
    case 2:
      return Space::local;
    case 3:
      return Space::param;
  }
  return Space::global;
}

// The variable that ends before an address.
std::string near_shared(const Kernel& kernel, uint64_t address) {
  const Variable* before = nullptr;
  for (const Variable& v : kernel.shared)
    if (v.address <= address && (!before || v.address > before->address)) before = &v;
  return before ? ": " + std::to_string(address - before->address) + " bytes into the " +
                      std::to_string(before->size) + " of " + before->name
                : "";
}

void fail_bounds(Warp& w, const Instruction& i, int lane, const Access& a, const char* space,
                 uint64_t address, uint64_t size) {
  w.fail(i, lane,
         what(a, space) + " at " + hex(address) + ", outside its " + std::to_string(size) + " bytes");
}
void fail_shared_bounds(Warp& w, const Instruction& i, int lane, const Access& a, uint64_t address,
                        uint64_t size) {
  w.fail(i, lane,
         what(a, "shared") + " at " + hex(address) + ", outside the block's " + std::to_string(size) +
             " bytes" + near_shared(*w.block->grid->kernel, address));
}

char* in_global(Warp& w, const Instruction& i, int lane, Access& a, uint64_t address) {
  Grid& grid = *w.block->grid;
  Allocation*& hit = grid.hits[static_cast<std::size_t>(&i - grid.kernel->code.data())];
  if (!hit || address < hit->begin || address + a.bytes > hit->end || hit->freed) {
    if (const Space other = window_of(address); other != Space::global)
      w.fail(i, lane,
             what(a, "global") + " at " + hex(address) + ", which is a generic address of " +
                 (other == Space::shared  ? "shared"
                  : other == Space::local ? "local"
                                          : "param") +
                 " memory (offset " + hex(address & ((1ull << 56) - 1)) +
                 "): the instruction must not name .global");
    Allocation* found = grid.memory->find(address);
    if (!found || address + a.bytes > found->end)
      w.fail(i, lane, what(a, "global") + " at " + hex(address) + ": " + grid.memory->describe(address));
    if (found->freed)
      w.fail(i, lane,
             what(a, "global") + " at " + hex(address) + ": freed memory, " + grid.memory->describe(address));
    hit = found;
  }
  a.allocation[lane] = hit;
  return reinterpret_cast<char*>(address);
}

}  // namespace

void translate(Warp& w, const Instruction& i, Slot slot, Access& a) {
  Block& block = *w.block;
  const Grid& grid = *block.grid;
  const uint32_t* narrow = slot == kNoSlot ? nullptr : w.at<uint32_t>(slot);
  const uint64_t* wide = slot == kNoSlot ? nullptr : w.at<uint64_t>(slot);
  Space space = i.space;
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    uint64_t address = static_cast<uint64_t>(i.offset) + (slot == kNoSlot  ? 0
                                                          : i.wide_address ? wide[l]
                                                                           : narrow[l]);
    if (i.space == Space::generic) {
      const Space found = window_of(address);
      if (left != w.active && found != space)
        w.fail(i, l, "a generic access of one warp to several spaces is not modelled");
      space = found;
      if (space != Space::global) address &= (1ull << 56) - 1;
    } else if (!i.wide_address) {
      address = static_cast<uint32_t>(address);
    }
    if (address % a.bytes != 0 && std::has_single_bit(a.bytes))
      w.fail(i, l,
             what(a, kSpaces[std::size_t(space)]) + " at " + hex(address) + ", which is not aligned to " +
                 std::to_string(a.bytes) + " bytes");
    a.address[l] = address;
    switch (space) {
      case Space::shared:
        if (address + a.bytes > grid.limit || address > grid.limit)
          fail_shared_bounds(w, i, l, a, address, grid.limit);
        if (address < grid.kernel->static_shared &&
            (grid.kernel->gaps[address / 4] || grid.kernel->gaps[(address + a.bytes - 1) / 4]))
          w.fail(i, l,
                 what(a, "shared") + " at " + hex(address) + ", between two variables" +
                     near_shared(*grid.kernel, address));
        a.data[l] = block.shared.data() + address;
        break;
      case Space::local: {
        const uint64_t size = grid.kernel->local_bytes;
        if (address + a.bytes > size || address > size) fail_bounds(w, i, l, a, "local", address, size);
        a.data[l] = w.locals.data() + static_cast<uint64_t>(l) * size + address;
        break;
      }
      case Space::param: {
        const uint64_t size = grid.launch->parameters.size();
        if (address + a.bytes > size || address > size) fail_bounds(w, i, l, a, "param", address, size);
        a.data[l] =
            const_cast<char*>(reinterpret_cast<const char*>(grid.launch->parameters.data())) + address;
        break;
      }
      default:
        a.data[l] = in_global(w, i, l, a, address);
    }
  }
  a.space = space;
}

void profile(Warp& w, const Instruction& i, const Access& a) {
  Grid& grid = *w.block->grid;
  Counters& counters = grid.counters;
  Accesses now{1, 0, 0, 0};
  // ptxas makes one access of several neighbours where it can prove that they are aligned: here, where they
  // are.
  if (w.counted > 0 && i.merged == 1) {
    --w.counted;
    return;
  }
  unsigned bytes = a.bytes;
  if (i.merged > 1) {
    bytes *= i.merged;
    for (uint32_t left = w.active; left; left &= left - 1)
      if (a.address[std::countr_zero(left)] % bytes != 0) bytes = a.bytes;
    w.counted = bytes > a.bytes ? i.merged - 1u : 0;
  }
  now.bytes = static_cast<uint64_t>(std::popcount(w.active)) * bytes;
  if (a.space == Space::local) {
    counters.local += now;
    return;
  }
  if (a.space == Space::global) {
    uint64_t sectors[kLanes], distinct = 0;
    int count = 0;
    for (uint32_t left = w.active; left; left &= left - 1)
      sectors[count++] = a.address[std::countr_zero(left)];
    std::sort(sectors, sectors + count);
    uint64_t last = ~0ull, byte = ~0ull;
    for (int k = 0; k < count; ++k) {
      if (sectors[k] != byte) ++distinct, byte = sectors[k];
      for (uint64_t at = sectors[k] / 32; at <= (sectors[k] + bytes - 1) / 32; ++at)
        if (last == ~0ull || at > last) ++now.transactions, last = at;
    }
    now.least = (distinct * bytes + 31) / 32;
    (a.store ? counters.global_store : counters.global_load) += now;
  } else if (a.space == Space::shared) {
    // 32 banks of 4 bytes. Wider accesses go by halves or quarters of the warp; lanes that read one word
    // share it.
    const int group = bytes <= 4   ? 32
                      : bytes == 8 ? 16
                                   : 8,
              words = static_cast<int>(std::max(1u, bytes / 4));
    for (int first = 0; first < 32; first += group) {
      uint64_t seen[32][8];
      std::uint8_t used[32] = {};
      unsigned degree = 0;
      for (int l = first; l < first + group; ++l) {
        if (!w.lane[l]) continue;
        for (int k = 0; k < words; ++k) {
          const uint64_t word = a.address[l] / 4 + static_cast<uint64_t>(k);
          std::uint8_t& n = used[word % 32];
          bool known = false;
          for (int s = 0; s < std::min<int>(n, 8) && !known; ++s) known = seen[word % 32][s] == word;
          if (known) continue;
          if (n < 8) seen[word % 32][n] = word;
          degree = std::max<unsigned>(degree, ++n);
        }
      }
      now.transactions += degree, now.least += degree > 0;
      counters.worst_bank_conflict = std::max(counters.worst_bank_conflict, degree);
    }
    (a.store ? counters.shared_store : counters.shared_load) += now;
  } else {
    return;
  }
  grid.sites[static_cast<std::size_t>(&i - grid.kernel->code.data())].accesses += now;
}

namespace {

inline void examine(Warp& w, const Instruction& i, Access& a) {
  const Options& options = w.block->grid->options;
  if (options.profile) profile(w, i, a);
  if ((options.races || options.uninitialized) && a.space != Space::local && a.space != Space::param)
    check_races(w, i, a);
}

// M in memory, R in registers, which may be wider.
template <class M, class R>
void load(Warp& w, const Instruction& i) {
  if (i.space == Space::param && i.operand[4] == kNoSlot) {  // one value for all lanes
    const char* data = reinterpret_cast<const char*>(w.block->grid->launch->parameters.data()) + i.offset;
    for (int k = 0; k < i.count; ++k) {
      M x;
      std::memcpy(&x, data + static_cast<std::size_t>(k) * sizeof(M), sizeof x);
      if (i.operand[k] == kNoSlot) continue;
      R* d = w.at<R>(i.operand[k]);
      for (Slot l = 0; l < kLanes; ++l) d[l] = w.lane[l] ? static_cast<R>(x) : d[l];
    }
    return;
  }
  Access a;
  a.bytes = static_cast<unsigned>(sizeof(M)) * i.count;
  translate(w, i, i.operand[4], a);
  examine(w, i, a);
  for (int k = 0; k < i.count; ++k) {
    if (i.operand[k] == kNoSlot) continue;
    R* d = w.at<R>(i.operand[k]);
    for (uint32_t left = w.active; left; left &= left - 1) {
      const int l = std::countr_zero(left);
      M x;
      std::memcpy(&x, a.data[l] + static_cast<std::size_t>(k) * sizeof(M), sizeof x);
      d[l] = static_cast<R>(x);
    }
  }
}

template <class M, class R>
void store(Warp& w, const Instruction& i) {
  Access a;
  a.bytes = static_cast<unsigned>(sizeof(M)) * i.count;
  a.store = true;
  translate(w, i, i.operand[4], a);
  for (int k = 0; k < i.count; ++k) {
    const R* d = w.at<R>(i.operand[k]);
    for (Slot l = 0; l < kLanes; ++l) {
      const M x = static_cast<M>(d[l]);
      std::memcpy(a.value[l] + static_cast<std::size_t>(k) * sizeof(M), &x, sizeof x);
    }
  }
  examine(w, i, a);
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    std::memcpy(a.data[l], a.value[l], a.bytes);
  }
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
// d, [a], b, c. Lanes one after another; without d for red.
template <class T>
void atomic(Warp& w, const Instruction& i) {
  Access a;
  a.bytes = sizeof(T);
  a.store = a.atomic = true;
  translate(w, i, i.operand[4], a);
  examine(w, i, a);
  const T *b = w.at<T>(i.operand[1]), *c = i.operand[2] == kNoSlot ? b : w.at<T>(i.operand[2]);
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int l = std::countr_zero(left);
    if (a.space == Space::global) acquire_and_release(w, a.address[l], l);
    T old;
    std::memcpy(&old, a.data[l], sizeof old);
    const T now = combined<T>(i.mode, old, b[l], c[l]);
    std::memcpy(a.data[l], &now, sizeof now);
    if (i.operand[0] != kNoSlot) w.at<T>(i.operand[0])[l] = old;
  }
}

// cvta: between a space and the generic range; i.offset is the window.
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
