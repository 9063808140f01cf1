// Translates the addresses of a warp's access and checks space, alignment, bounds and lifetime. It handles
// all lanes at once if possible, and lane by lane if there is an error or addresses lie in several
// allocations.
#include <algorithm>
#include <bit>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

constexpr uint64_t kOffsetMask = (1ull << 56) - 1;  // offset of an address in a window

// Returns the window of the generic address range that contains an address.
Space window_of(uint64_t address) {
  switch (address >> 56) {
    case kSharedWindow >> 56:
      return Space::shared;
    case kLocalWindow >> 56:
      return Space::local;
    case kParamWindow >> 56:
      return Space::param;
  }
  return Space::global;
}

std::string access_to(const Access& a, Space space, uint64_t address) {
  return describe(a) +
         (a.atomic  ? " on "
          : a.store ? " to "
                    : " from ") +
         name_of(space) + " memory at " + hex(address);
}

// Describes the shared variable that begins at or before an address.
std::string near_shared(const Kernel& kernel, uint64_t address) {
  const Variable* before = nullptr;
  for (const Variable& v : kernel.shared)
    if (v.address <= address && (!before || v.address > before->address)) before = &v;
  if (!before) return "";
  const std::string size = before->dynamic ? "dynamic" : std::to_string(before->size) + "-byte";
  return ": " + std::to_string(address - before->address) + " bytes into the " + size + " variable " +
         readable_name(before->name);
}

// Describes an address that does not belong to the space of the instruction, or returns "" if it may.
std::string other_space(Grid& grid, uint64_t address) {
  const Space window = window_of(address);
  if (window != Space::global)
    return std::string(", which is a generic address of ") + name_of(window) + " memory (offset " +
           hex(address & kOffsetMask) + ")";
  if (!grid.memory->find(address)) return "";
  return ", which is an address of global memory, " + grid.memory->describe(address);
}

[[noreturn]] void fail_bounds(Warp& w, const Instruction& i, int lane, const Access& a, Space space,
                              uint64_t address, uint64_t size) {
  Grid& grid = *w.block->grid;
  const std::string other = other_space(grid, address);
  if (!other.empty()) w.fail(i, lane, access_to(a, space, address) + other);
  w.fail(i, lane,
         access_to(a, space, address) + ", outside the " + std::to_string(size) + " bytes of the " +
             (space == Space::shared  ? "block" + near_shared(*grid.kernel, address)
              : space == Space::local ? "thread"
                                      : "kernel's parameters"));
}

Allocation* find_global(Warp& w, const Instruction& i, int lane, const Access& a, uint64_t address) {
  Grid& grid = *w.block->grid;
  if (window_of(address) != Space::global)
    w.fail(i, lane, access_to(a, Space::global, address) + other_space(grid, address));
  Allocation* found = grid.memory->find(address);
  if (!found || address + a.bytes > found->end)
    w.fail(i, lane, access_to(a, Space::global, address) + ": " + grid.memory->describe(address));
  if (found->freed)
    w.fail(i, lane,
           access_to(a, Space::global, address) + ": freed memory, " + grid.memory->describe(address));
  return found;
}

// InGlobal and InShared return the host pointer of one lane's address in their space. They hold the values
// that do not depend on the lane, so that these are computed once.
struct InGlobal {
  Warp& w;
  const Instruction& i;
  Access& a;
  Allocation*& hit = w.block->grid->hits[static_cast<std::size_t>(&i - w.block->grid->kernel->code.data())];

  char* operator()(int lane, uint64_t address) {
    if (!hit || address < hit->begin || address >= hit->end || address + a.bytes > hit->end)
      hit = find_global(w, i, lane, a, address);
    a.memories[lane] = hit;
    return reinterpret_cast<char*>(address);
  }
};

// Returns whether a range of shared memory lies inside one static variable or after all of them.
bool in_variable(const Kernel& kernel, uint64_t begin, uint64_t end) {
  return begin >= kernel.static_shared ||
         std::any_of(kernel.stretches.begin(), kernel.stretches.end(),
                     [&](const Stretch& s) { return begin >= s.begin && end <= s.end; });
}

struct InShared {
  Warp& w;
  const Instruction& i;
  Access& a;
  const Kernel& kernel = *w.block->grid->kernel;
  const uint64_t size = w.block->grid->shared_bytes;
  char* const begin = w.block->shared.data();

  char* operator()(int lane, uint64_t address) {
    if (address > size || address + a.bytes > size) fail_bounds(w, i, lane, a, Space::shared, address, size);
    if (!in_variable(kernel, address, address + a.bytes))
      w.fail(i, lane,
             access_to(a, Space::shared, address) + ", between two variables" + near_shared(kernel, address));
    return begin + address;
  }
};

char* in_local(Warp& w, const Instruction& i, int lane, const Access& a, uint64_t address) {
  const uint64_t size = w.block->grid->kernel->local_bytes;
  if (address > size || address + a.bytes > size) fail_bounds(w, i, lane, a, Space::local, address, size);
  return w.locals.data() + static_cast<uint64_t>(lane) * size + address;
}

char* in_parameters(Warp& w, const Instruction& i, int lane, const Access& a, uint64_t address) {
  const auto& parameters = w.block->grid->launch->parameters;
  const uint64_t size = parameters.size();
  if (address > size || address + a.bytes > size) fail_bounds(w, i, lane, a, Space::param, address, size);
  if (a.store) w.fail(i, lane, access_to(a, Space::param, address) + ", which is read-only");
  return const_cast<char*>(reinterpret_cast<const char*>(parameters.data())) + address;
}

// Computes the addresses of all lanes. Inactive lanes get the address of the first active lane.
void find_addresses(Warp& w, const Instruction& i, Slot slot, Access& a) {
  const auto offset = static_cast<uint64_t>(i.offset);
  if (slot == kNoSlot) {
    std::fill(a.address, a.address + kLanes, offset);
  } else if (i.wide_address) {
    const uint64_t* base = w.at<uint64_t>(slot);
    for (Slot l = 0; l < kLanes; ++l) a.address[l] = offset + base[l];
  } else {
    const uint32_t* base = w.at<uint32_t>(slot);
    for (Slot l = 0; l < kLanes; ++l) a.address[l] = static_cast<uint32_t>(offset + base[l]);
  }
  a.first = std::countr_zero(w.active);
  a.last = 31 - std::countl_zero(w.active);
  if (w.full) return;
  const uint64_t other = a.address[a.first];
  for (Slot l = 0; l < kLanes; ++l) a.address[l] = w.lane[l] ? a.address[l] : other;
}

// Computes `low`, `high`, `any_bit` and `stride` of an access.
void describe_lanes(const Warp& w, Access& a) {
  uint64_t low = ~uint64_t(0), high = 0, any = 0;
  for (Slot l = 0; l < kLanes; ++l) {
    low = std::min(low, a.address[l]);
    high = std::max(high, a.address[l]);
    any |= a.address[l];
  }
  a.low = low;
  a.high = high;
  a.any_bit = any;
  a.stride = Access::kIrregular;
  const uint32_t run = w.active >> a.first;
  if ((run & (run + 1)) != 0) return;
  if (a.first == a.last) {
    a.stride = a.bytes;
    return;
  }
  const uint64_t stride = a.address[a.first + 1] - a.address[a.first];
  uint64_t other = 0;
  for (int l = a.first; l < a.last; ++l) other |= (a.address[l + 1] - a.address[l]) ^ stride;
  if (other == 0) a.stride = stride;
}

// Translates lane by lane and reports the first lane with an error.
template <class Find>
void translate_lanes(Warp& w, const Instruction& i, Access& a, Find find) {
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const uint64_t address = a.address[lane];
    if (address & (a.bytes - 1))
      w.fail(
          i, lane,
          access_to(a, a.space, address) + ", which is not aligned to " + std::to_string(a.bytes) + " bytes");
    a.data[lane] = find(lane, address);
  }
}

// Translates all lanes at once if `fits` is true. `begin` is the host pointer that corresponds to address 0.
template <class Find>
void translate_all(Warp& w, const Instruction& i, Access& a, bool fits, char* begin, Find find) {
  if (!fits || a.any_bit % a.bytes != 0) return translate_lanes(w, i, a, find);
  for (Slot l = 0; l < kLanes; ++l) a.data[l] = begin + a.address[l];
}

void translate_global(Warp& w, const Instruction& i, Access& a) {
  Allocation*& hit = w.block->grid->hits[static_cast<std::size_t>(&i - w.block->grid->kernel->code.data())];
  const auto holds = [&](const Allocation* m) {
    return m && a.low >= m->begin && a.high < m->end && a.end() <= m->end;
  };
  if (!holds(hit)) {
    Allocation* found = w.block->grid->memory->find(a.low);
    if (holds(found) && !found->freed) hit = found;
  }
  a.memory = holds(hit) ? hit : nullptr;
  translate_all(w, i, a, a.memory != nullptr, nullptr, InGlobal{w, i, a});
}

void translate_shared(Warp& w, const Instruction& i, Access& a) {
  const Block& block = *w.block;
  const Kernel& kernel = *block.grid->kernel;
  const bool fits = a.high <= block.grid->shared_bytes && a.end() <= block.grid->shared_bytes &&
                    in_variable(kernel, a.low, a.end());
  translate_all(w, i, a, fits, w.block->shared.data(), InShared{w, i, a});
}

// Returns the space of a generic access, which must be the same in all lanes.
Space space_of_lanes(Warp& w, const Instruction& i, const Access& a) {
  const Space first = window_of(a.address[a.first]);
  for (uint32_t left = w.active; left; left &= left - 1)
    if (window_of(a.address[std::countr_zero(left)]) != first)
      w.fail(i, std::countr_zero(left), "a generic access of one warp to several spaces is not supported");
  return first;
}

}  // namespace

const char* name_of(Space space) {
  constexpr const char* kNames[] = {"generic", "global", "shared", "local", "parameter", "constant"};
  return kNames[std::size_t(space)];
}

std::string hex(uint64_t x) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(x));
  return text;
}

std::string describe(const Access& a) {
  return std::to_string(a.bytes) + "-byte " + (a.atomic ? "atomic" : a.store ? "store" : "load");
}

void translate(Warp& w, const Instruction& i, Slot slot, Access& a) {
  find_addresses(w, i, slot, a);
  a.space = i.space == Space::generic ? space_of_lanes(w, i, a) : i.space;
  if (i.space == Space::generic && a.space != Space::global)
    for (uint64_t& address : a.address) address &= kOffsetMask;
  describe_lanes(w, a);
  switch (a.space) {
    case Space::shared:
      return translate_shared(w, i, a);
    case Space::local:
      return translate_lanes(w, i, a, [&](int l, uint64_t address) { return in_local(w, i, l, a, address); });
    case Space::param:
      return translate_lanes(w, i, a,
                             [&](int l, uint64_t address) { return in_parameters(w, i, l, a, address); });
    default:
      return translate_global(w, i, a);
  }
}

void Access::copy_value(int lane, char* to) const {
  for (unsigned k = 0; k * element_bytes < bytes; ++k)
    std::memcpy(to + k * element_bytes, registers[k] + static_cast<std::size_t>(lane) * register_bytes,
                element_bytes);
}

}  // namespace ptx
