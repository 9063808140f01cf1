// Device memory: allocated, freed and written ranges, and descriptions of addresses.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

// Up to this many freed bytes are not returned to the host, so that accesses after free are detected.
constexpr std::size_t kQuarantine = 64 << 20;
// Number of forgotten allocations whose addresses are still reported as freed.
constexpr std::size_t kTombstones = 1024;
constexpr std::size_t kAlign = 256;

std::string text_of(const Allocation& a) {
  const std::string name = a.name.empty() ? "allocation" : "'" + a.name + "'";
  return (a.freed ? "freed " : "") + name + " [" + hex(a.begin) + ", " + hex(a.end) + "), " +
         std::to_string(a.end - a.begin) + " bytes";
}

}  // namespace

void Allocation::mark_all(bool value) {
  written_.clear();
  unwritten_ = value ? 0 : end - begin;
}

void Allocation::set_written(std::uint64_t address, std::uint64_t bytes, bool value) {
  if (bytes == 0 || (value && unwritten_ == 0)) return;
  if (written_.empty()) written_.assign(word(end + 3) + 1, unwritten_ == 0 ? 15 : 0);
  const std::uint64_t last = address + bytes;
  std::uint64_t at = address;
  if (address % 4 == 0) {
    const auto next = static_cast<std::uint8_t>(value ? 15 : 0);
    std::uint64_t had = 0;
    for (; at + 4 <= last; at += 4) {
      had += static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>(written_[word(at)])));
      written_[word(at)] = next;
    }
    unwritten_ = value ? unwritten_ - (at - address - had) : unwritten_ + had;
  }
  while (at < last) {
    const auto first = at % 4, end_of_word = std::min<std::uint64_t>(4, first + (last - at));
    const auto mask = static_cast<std::uint8_t>((1u << end_of_word) - (1u << first));
    std::uint8_t& now = written_[word(at)];
    const auto next = static_cast<std::uint8_t>(value ? now | mask : now & ~mask);
    const auto changed = static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>(now ^ next)));
    unwritten_ = value ? unwritten_ - changed : unwritten_ + changed;
    now = next;
    at += end_of_word - first;
  }
  if (unwritten_ == 0) written_.clear();
}

bool Allocation::is_written_bytewise(std::uint64_t address, unsigned bytes) const {
  if (written_.empty()) return false;
  if (address % 4 == 0 && bytes % 4 == 0) {
    unsigned all = 15;
    for (std::size_t k = word(address), end = word(address + bytes); k < end; ++k) all &= written_[k];
    return all == 15;
  }
  for (std::uint64_t at = address; at < address + bytes; ++at)
    if (!(written_[word(at)] >> (at % 4) & 1)) return false;
  return true;
}

void Allocation::release_state() {
  history = {};
  written_ = {};
}

Memory::Memory() : spare_blocks_(std::make_unique<SpareBlocks>()) {}
Memory::~Memory() {
  for (auto& [begin, a] : allocations_)
    if (a->owned) std::free(reinterpret_cast<void*>(begin));
}

void* Memory::allocate(std::size_t bytes, std::string name) {
  const std::size_t size = std::max<std::size_t>(1, (bytes + kAlign - 1) / kAlign) * kAlign;
  void* p = std::aligned_alloc(kAlign, size + kAlign);  // the extra space separates neighbours
  if (!p) throw Error("[ptx] expected " + std::to_string(bytes) + " bytes of host memory, got none");
  std::memset(p, 0xff, size);
  add(p, bytes, std::move(name), true, false);
  return p;
}

void Memory::add(void* pointer, std::size_t bytes, std::string name, bool owned, bool written) {
  const auto begin = reinterpret_cast<std::uint64_t>(pointer);
  drop_tombstones(begin, begin + bytes);
  auto a = std::make_unique<Allocation>();
  a->begin = begin;
  a->end = begin + bytes;
  a->name = std::move(name);
  a->owned = owned;
  a->mark_all(written);
  allocations_[begin] = std::move(a);
}

void Memory::adopt(void* pointer, std::size_t bytes, std::string name, bool written) {
  const auto found = allocations_.find(reinterpret_cast<std::uint64_t>(pointer));
  if (found != allocations_.end() && !found->second->freed) return;
  add(pointer, bytes, std::move(name), false, written);
}

// Accesses to a forgotten allocation are reported as accesses to freed memory until its addresses are reused.
void Memory::forget(void* pointer) {
  const auto found = allocations_.find(reinterpret_cast<std::uint64_t>(pointer));
  if (found == allocations_.end() || found->second->freed) return;
  found->second->freed = true;
  found->second->release_state();
  tombstones_.push_back(found->first);
  if (tombstones_.size() <= kTombstones) return;
  const auto oldest = allocations_.find(tombstones_.front());
  tombstones_.erase(tombstones_.begin());
  if (oldest != allocations_.end() && oldest->second->freed && !oldest->second->owned)
    allocations_.erase(oldest);
}

void Memory::drop_tombstones(std::uint64_t begin, std::uint64_t end) {
  auto next = allocations_.upper_bound(begin);
  if (next != allocations_.begin()) --next;
  while (next != allocations_.end() && next->first < end) {
    const Allocation& a = *next->second;
    const bool buried = a.freed && !a.owned && a.end > begin;
    if (buried) std::erase(tombstones_, next->first);
    next = buried ? allocations_.erase(next) : std::next(next);
  }
}

void Memory::free(void* pointer) {
  if (!pointer) return;
  const auto found = allocations_.find(reinterpret_cast<std::uint64_t>(pointer));
  if (found == allocations_.end() || found->second->freed || !found->second->owned)
    throw Error("[ptx] expected an allocation to free, got " +
                describe(reinterpret_cast<std::uint64_t>(pointer)));
  Allocation& a = *found->second;
  a.freed = true;
  a.release_state();
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

void Memory::set_written(const void* pointer, std::size_t bytes, bool value) {
  const auto address = reinterpret_cast<std::uint64_t>(pointer);
  Allocation* a = find(address);
  if (a) a->set_written(address, std::min<std::uint64_t>(bytes, a->end - address), value);
}

void Memory::mark_written(const void* pointer, std::size_t bytes) { set_written(pointer, bytes, true); }
void Memory::mark_unwritten(const void* pointer, std::size_t bytes) { set_written(pointer, bytes, false); }

bool Memory::is_written(const void* pointer, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uint64_t>(pointer);
  const Allocation* a = find(address);
  return a && address + bytes <= a->end && a->is_written(address, static_cast<unsigned>(bytes));
}

void Memory::copy_written(const void* to, const void* from, std::size_t bytes) {
  if (is_written(from, bytes)) return mark_written(to, bytes);
  for (std::size_t k = 0; k < bytes; ++k)
    set_written(static_cast<const char*>(to) + k, 1, is_written(static_cast<const char*>(from) + k, 1));
}

Allocation* Memory::find(std::uint64_t address) {
  auto next = allocations_.upper_bound(address);
  if (next == allocations_.begin()) return nullptr;
  Allocation* a = std::prev(next)->second.get();
  return address < a->end ? a : nullptr;
}

std::string Memory::describe(std::uint64_t address) {
  const auto next = allocations_.upper_bound(address);
  const Allocation* before = next == allocations_.begin() ? nullptr : std::prev(next)->second.get();
  const Allocation* after = next == allocations_.end() ? nullptr : next->second.get();
  if (!before && !after) return "nothing is allocated";
  if (before && address < before->end)
    return std::to_string(address - before->begin) + " bytes into " + text_of(*before);
  const std::uint64_t past = before ? address - before->end : ~0ull;
  const std::uint64_t ahead = after ? after->begin - address : ~0ull;
  return past <= ahead ? std::to_string(past) + " bytes past the end of " + text_of(*before)
                       : std::to_string(ahead) + " bytes before " + text_of(*after);
}

std::size_t Memory::live() const {
  return static_cast<std::size_t>(
      std::count_if(allocations_.begin(), allocations_.end(),
                    [](const auto& entry) { return !entry.second->freed && entry.second->owned; }));
}

}  // namespace ptx
