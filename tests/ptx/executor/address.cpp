// Translates the addresses of a warp's access and checks space, alignment, bounds and lifetime, lane by lane.
#include <bit>

#include "grid.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

constexpr uint64_t kOffsetMask = (1ull << 56) - 1;  // of an address in a window

// The window of the generic range that an address is in.
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
  return describe(a) + " to " + name_of(space) + " memory at " + hex(address);
}

// The shared variable that begins at or before an address.
std::string near_shared(const Kernel& kernel, uint64_t address) {
  const Variable* before = nullptr;
  for (const Variable& v : kernel.shared)
    if (v.address <= address && (!before || v.address > before->address)) before = &v;
  if (!before) return "";
  const std::string size = before->dynamic ? "dynamic" : std::to_string(before->size) + "-byte";
  return ": " + std::to_string(address - before->address) + " bytes into the " + size + " variable " +
         readable_name(before->name);
}

// A wide address that cannot be an offset: it belongs to another space.
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

// Each finds the memory of a lane's address in one space; what does not depend on the lane is found before.
struct InGlobal {
  Warp& w;
  const Instruction& i;
  Access& a;
  Allocation*& hit = w.block->grid->hits[static_cast<std::size_t>(&i - w.block->grid->kernel->code.data())];

  char* operator()(int lane, uint64_t address) {
    if (!hit || address < hit->begin || address + a.bytes > hit->end)
      hit = find_global(w, i, lane, a, address);
    a.allocation[lane] = hit;
    return reinterpret_cast<char*>(address);
  }
};

struct InShared {
  Warp& w;
  const Instruction& i;
  Access& a;
  const Kernel& kernel = *w.block->grid->kernel;
  const uint64_t size = w.block->grid->shared_bytes;
  char* const begin = w.block->shared.data();

  char* operator()(int lane, uint64_t address) {
    if (address > size || address + a.bytes > size) fail_bounds(w, i, lane, a, Space::shared, address, size);
    if (address < kernel.static_shared &&
        (kernel.gaps[address / 4] || kernel.gaps[(address + a.bytes - 1) / 4]))
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

// The addresses of all lanes in one space; a generic one has lost its window.
template <class Find>
void translate_lanes(Warp& w, const Instruction& i, Slot slot, Access& a, Find find) {
  const bool in_register = slot != kNoSlot;
  const uint32_t* narrow = in_register && !i.wide_address ? w.at<uint32_t>(slot) : nullptr;
  const uint64_t* wide = in_register && i.wide_address ? w.at<uint64_t>(slot) : nullptr;
  const bool in_window = i.space == Space::generic && a.space != Space::global;
  const uint64_t bits = in_window ? kOffsetMask : i.wide_address ? ~uint64_t(0) : ~uint32_t(0);
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    uint64_t address = static_cast<uint64_t>(i.offset);
    if (wide)
      address += wide[lane];
    else if (narrow)
      address += narrow[lane];
    address &= bits;
    if (address & (a.bytes - 1))
      w.fail(
          i, lane,
          access_to(a, a.space, address) + ", which is not aligned to " + std::to_string(a.bytes) + " bytes");
    a.address[lane] = address;
    a.data[lane] = find(lane, address);
  }
}

// The space of a generic access, which is that of all lanes.
Space space_of_lanes(Warp& w, const Instruction& i, Slot slot) {
  const auto of_lane = [&](int lane) {
    const uint64_t base = slot == kNoSlot  ? 0
                          : i.wide_address ? w.at<uint64_t>(slot)[lane]
                                           : w.at<uint32_t>(slot)[lane];
    return window_of(static_cast<uint64_t>(i.offset) + base);
  };
  const Space first = of_lane(std::countr_zero(w.active));
  for (uint32_t left = w.active; left; left &= left - 1)
    if (of_lane(std::countr_zero(left)) != first)
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
  a.space = i.space == Space::generic ? space_of_lanes(w, i, slot) : i.space;
  switch (a.space) {
    case Space::shared:
      return translate_lanes(w, i, slot, a, InShared{w, i, a});
    case Space::local:
      return translate_lanes(w, i, slot, a,
                             [&](int l, uint64_t address) { return in_local(w, i, l, a, address); });
    case Space::param:
      return translate_lanes(w, i, slot, a,
                             [&](int l, uint64_t address) { return in_parameters(w, i, l, a, address); });
    default:
      return translate_lanes(w, i, slot, a, InGlobal{w, i, a});
  }
}

}  // namespace ptx
