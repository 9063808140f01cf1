// Counts the cost of a warp's access on a GPU: sectors of 32 bytes, and passes over the banks of shared
// memory.
#include <algorithm>
#include <bit>

#include "grid.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

constexpr unsigned kSector = 32, kBanks = 32;

// ptxas merges several adjacent accesses if it can prove their alignment. The profile merges them if they are
// aligned in this run. Returns the bytes per lane of the merged access, or 0 if it has already been counted.
unsigned joined_bytes(Warp& w, const Instruction& i, const Access& a) {
  if (w.counted > 0 && i.merged == 1) {
    --w.counted;
    return 0;
  }
  if (i.merged <= 1) return a.bytes;
  const unsigned bytes = a.bytes * i.merged;
  w.counted = 0;
  if (a.any_bit % bytes != 0) return a.bytes;
  w.counted = i.merged - 1u;
  return bytes;
}

void count_sectors(const Warp& w, const Access& a, unsigned bytes, Accesses& now) {
  if (a.is_uniform() || a.stride == bytes) {
    now.transactions = (a.high + bytes - 1) / kSector - a.low / kSector + 1;
    now.least = (a.high + bytes - a.low + kSector - 1) / kSector;
    return;
  }
  uint64_t addresses[kLanes];
  int count = 0;
  bool sorted = true;
  for (uint32_t left = w.active; left; left &= left - 1) {
    addresses[count] = a.address[std::countr_zero(left)];
    if (count > 0) sorted &= addresses[count - 1] <= addresses[count];
    ++count;
  }
  if (!sorted) std::sort(addresses, addresses + count);
  uint64_t next_sector = 0, last_address = ~0ull, distinct = 0;
  for (int k = 0; k < count; ++k) {
    if (addresses[k] == last_address) continue;
    last_address = addresses[k];
    ++distinct;
    const uint64_t first = std::max(next_sector, addresses[k] / kSector);
    const uint64_t end = (addresses[k] + bytes - 1) / kSector + 1;
    if (end <= first) continue;
    now.transactions += end - first;
    next_sector = end;
  }
  now.least = (distinct * bytes + kSector - 1) / kSector;
}

// Returns whether no two lanes access words of the same bank.
bool in_separate_banks(const Warp& w, const Access& a, unsigned words, unsigned first, unsigned last) {
  const uint32_t of_lane = (1u << words) - 1;
  uint32_t used = 0, asked = 0;
  for (unsigned lane = first; lane < last; ++lane) {
    used |= w.lane[lane] & (of_lane << (a.address[lane] / 4 % kBanks));
    asked += w.lane[lane] & words;
  }
  return static_cast<uint32_t>(std::popcount(used)) == asked;
}

// Returns whether lanes that access the same bank access the same word.
bool has_one_word_per_bank(const Warp& w, const Access& a, unsigned words, unsigned first, unsigned last) {
  uint64_t of_bank[kBanks];
  for (unsigned lane = first; lane < last; ++lane)
    if (w.lane[lane])
      for (unsigned k = 0; k < words; ++k)
        of_bank[(a.address[lane] / 4 + k) % kBanks] = a.address[lane] / 4 + k;
  bool same = true;
  for (unsigned lane = first; lane < last; ++lane)
    if (w.lane[lane])
      for (unsigned k = 0; k < words; ++k)
        same &= of_bank[(a.address[lane] / 4 + k) % kBanks] == a.address[lane] / 4 + k;
  return same;
}

// Returns the largest number of different words in one bank that lanes [first, last) access.
unsigned conflict_degree(const Warp& w, const Access& a, unsigned words, unsigned first, unsigned last) {
  uint64_t seen[kBanks][kLanes];
  std::uint8_t used[kBanks] = {};
  unsigned degree = 0;
  for (unsigned lane = first; lane < last; ++lane) {
    if (!w.lane[lane]) continue;
    for (unsigned k = 0; k < words; ++k) {
      const uint64_t word = a.address[lane] / 4 + k;
      std::uint8_t& count = used[word % kBanks];
      uint64_t* of_bank = seen[word % kBanks];
      if (std::find(of_bank, of_bank + count, word) != of_bank + count) continue;
      of_bank[count++] = word;
      degree = std::max<unsigned>(degree, count);
    }
  }
  return degree;
}

// There are 32 banks of 4 bytes. Wider accesses are served by halves or quarters of the warp, and lanes that
// read the same word share it.
void count_passes(const Warp& w, const Access& a, unsigned bytes, Accesses& now, Counters& counters) {
  const unsigned group = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  const unsigned words = std::max(1u, bytes / 4);
  const bool regular = a.is_uniform() || a.stride == bytes;
  for (unsigned first = 0; first < kLanes; first += group) {
    const unsigned last = first + group;
    const uint32_t lanes = w.active >> first & (group == 32 ? ~0u : (1u << group) - 1);
    const unsigned degree = lanes == 0 ? 0
                            : regular || in_separate_banks(w, a, words, first, last) ||
                                    has_one_word_per_bank(w, a, words, first, last)
                                ? 1
                                : conflict_degree(w, a, words, first, last);
    now.transactions += degree;
    now.least += degree > 0;
    counters.worst_bank_conflict = std::max(counters.worst_bank_conflict, degree);
  }
}

}  // namespace

void profile(Warp& w, const Instruction& i, const Access& a) {
  if (a.space == Space::param) return;
  const unsigned bytes = joined_bytes(w, i, a);
  if (bytes == 0) return;
  Grid& grid = *w.block->grid;
  Counters& c = grid.counters;
  Accesses now{1, static_cast<uint64_t>(std::popcount(w.active)) * bytes, 0, 0};
  if (a.space == Space::local) {
    c.local += now;
    return;
  }
  if (a.space == Space::shared) {
    count_passes(w, a, bytes, now, c);
    (a.atomic ? c.shared_atomic : a.store ? c.shared_store : c.shared_load) += now;
  } else {
    count_sectors(w, a, bytes, now);
    (a.atomic ? c.global_atomic : a.store ? c.global_store : c.global_load) += now;
  }
}

}  // namespace ptx
