// Device memory: what is allocated, what was freed, and what lies near an address.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "machine.h"

namespace ptx {
namespace {
constexpr std::size_t kQuarantine = 64 << 20;  // freed bytes kept, so that late accesses are recognised
constexpr std::size_t kAlign = 256;
}  // namespace

Memory::Memory() = default;
Memory::~Memory() {
  for (auto& [begin, a] : allocations_)
    if (a->owned) std::free(reinterpret_cast<void*>(begin));
}

void* Memory::allocate(std::size_t bytes, std::string name) {
  const std::size_t size = std::max<std::size_t>(1, (bytes + kAlign - 1) / kAlign) * kAlign;
  void* p = std::aligned_alloc(kAlign, size + kAlign);  // room behind: nothing touches its neighbour
  if (!p) throw Error("ptx: out of memory");
  std::memset(p, 0xff, size);
  auto a = std::make_unique<Allocation>();
  a->begin = reinterpret_cast<std::uint64_t>(p), a->end = a->begin + bytes;
  a->name = std::move(name);
  allocations_[a->begin] = std::move(a);
  return p;
}

void Memory::adopt(void* pointer, std::size_t bytes, std::string name, bool written) {
  const auto begin = reinterpret_cast<std::uint64_t>(pointer);
  if (allocations_.contains(begin)) return;
  auto a = std::make_unique<Allocation>();
  a->begin = begin, a->end = begin + bytes, a->name = std::move(name), a->owned = false;
  a->written.assign(bytes, written);
  allocations_[begin] = std::move(a);
}

void Memory::forget(void* pointer) { allocations_.erase(reinterpret_cast<std::uint64_t>(pointer)); }

void Memory::free(void* pointer) {
  if (!pointer) return;
  const auto found = allocations_.find(reinterpret_cast<std::uint64_t>(pointer));
  if (found == allocations_.end() || found->second->freed) throw Error("ptx: free of what is not allocated");
  Allocation& a = *found->second;
  a.freed = true;
  a.cells = {}, a.written = {};
  quarantine_.push_back(a.begin);
  quarantined_ += a.end - a.begin;
  while (quarantined_ > kQuarantine) {
    const auto oldest = allocations_.find(quarantine_.front());
    quarantine_.erase(quarantine_.begin());
    quarantined_ -= oldest->second->end - oldest->second->begin;
    std::free(reinterpret_cast<void*>(oldest->first));
    allocations_.erase(oldest);
  }
}

void Memory::mark_written(const void* pointer, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uint64_t>(pointer);
  Allocation* a = find(address);
  if (!a || bytes == 0) return;
  if (a->written.empty()) a->written.resize(a->end - a->begin);
  const std::size_t first = address - a->begin;
  std::fill_n(a->written.begin() + static_cast<std::ptrdiff_t>(first),
              std::min(bytes, a->written.size() - first), true);
}

Allocation* Memory::find(std::uint64_t address) {
  auto next = allocations_.upper_bound(address);
  if (next == allocations_.begin()) return nullptr;
  Allocation* a = std::prev(next)->second.get();
  return address < a->end ? a : nullptr;
}

std::string Memory::describe(std::uint64_t address) {
  const auto text = [&](const Allocation& a) {
    char range[80];
    std::snprintf(range, sizeof range, "[0x%llx, 0x%llx), %llu bytes",
                  static_cast<unsigned long long>(a.begin), static_cast<unsigned long long>(a.end),
                  static_cast<unsigned long long>(a.end - a.begin));
    return (a.freed ? "freed " : "") + std::string(a.name.empty() ? "allocation" : "'" + a.name + "'") + " " +
           range;
  };
  auto next = allocations_.upper_bound(address);
  const Allocation* before = next == allocations_.begin() ? nullptr : std::prev(next)->second.get();
  const Allocation* after = next == allocations_.end() ? nullptr : next->second.get();
  if (before && address < before->end)
    return std::to_string(address - before->begin) + " bytes into " + text(*before);
  const std::uint64_t past = before ? address - before->end : ~0ull,
                      ahead = after ? after->begin - address : ~0ull;
  if (!before && !after) return "nothing is allocated";
  return past <= ahead ? std::to_string(past) + " bytes past the end of " + text(*before)
                       : std::to_string(ahead) + " bytes before " + text(*after);
}

std::size_t Memory::live() const {
  std::size_t count = 0;
  for (const auto& [begin, a] : allocations_) count += !a->freed && a->owned;
  return count;
}

}  // namespace ptx
