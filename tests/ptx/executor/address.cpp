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

char* in_global(Warp& w, const Instruction& i, int lane, Access& a, uint64_t address) {
  Grid& grid = *w.block->grid;
  Allocation*& hit = grid.hits[static_cast<std::size_t>(&i - grid.kernel->code.data())];
  if (!hit || address < hit->begin || address + a.bytes > hit->end) hit = find_global(w, i, lane, a, address);
  a.allocation[lane] = hit;
  return reinterpret_cast<char*>(address);
}

char* in_shared(Warp& w, const Instruction& i, int lane, const Access& a, uint64_t address) {
  Block& block = *w.block;
  const Kernel& kernel = *block.grid->kernel;
  const uint64_t size = block.grid->shared_bytes;
  if (address > size || address + a.bytes > size) fail_bounds(w, i, lane, a, Space::shared, address, size);
  if (address < kernel.static_shared &&
      (kernel.gaps[address / 4] || kernel.gaps[(address + a.bytes - 1) / 4]))
    w.fail(i, lane,
           access_to(a, Space::shared, address) + ", between two variables" + near_shared(kernel, address));
  return block.shared.data() + address;
}

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

char* resolve(Warp& w, const Instruction& i, int lane, Access& a, Space space, uint64_t address) {
  switch (space) {
    case Space::shared:
      return in_shared(w, i, lane, a, address);
    case Space::local:
      return in_local(w, i, lane, a, address);
    case Space::param:
      return in_parameters(w, i, lane, a, address);
    default:
      return in_global(w, i, lane, a, address);
  }
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
  const bool in_register = slot != kNoSlot;
  const uint32_t* narrow = in_register ? w.at<uint32_t>(slot) : nullptr;
  const uint64_t* wide = in_register ? w.at<uint64_t>(slot) : nullptr;
  Space space = i.space;
  for (uint32_t left = w.active; left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    uint64_t address = static_cast<uint64_t>(i.offset);
    if (in_register) address += i.wide_address ? wide[lane] : narrow[lane];
    if (i.space == Space::generic) {
      const Space found = window_of(address);
      if (left != w.active && found != space)
        w.fail(i, lane, "a generic access of one warp to several spaces is not supported");
      space = found;
      if (space != Space::global) address &= kOffsetMask;
    } else if (!i.wide_address) {
      address = static_cast<uint32_t>(address);
    }
    if (address & (a.bytes - 1))
      w.fail(
          i, lane,
          access_to(a, space, address) + ", which is not aligned to " + std::to_string(a.bytes) + " bytes");
    a.address[lane] = address;
    a.data[lane] = resolve(w, i, lane, a, space, address);
  }
  a.space = space;
}

}  // namespace ptx
