// Finds loads of unwritten bytes in shared, global and local memory.
#include <algorithm>
#include <bit>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

constexpr std::uint8_t kWholeWord = 15;

// Checks that the words of a load or an atomic are written, or marks those of a store. An access may be
// smaller than a word.
void check_shared_load(Warp& w, const Instruction& i, int lane, const Access& a) {
  std::uint8_t* written = w.block->shared_written.data() + a.address[lane] / 4;
  const std::size_t words = a.bytes < 4 ? 1 : a.bytes / 4;
  const unsigned touched = a.bytes < 4 ? ((1u << a.bytes) - 1) << (a.address[lane] % 4) : kWholeWord;
  for (std::size_t k = 0; k < words; ++k) {
    if (a.store && !a.atomic) {
      written[k] = static_cast<std::uint8_t>(written[k] | touched);
    } else if ((written[k] & touched) != touched) {
      w.fail(i, lane,
             describe(a) + " of shared memory that was never written, at offset " +
                 std::to_string(a.address[lane] + 4 * k));
    }
  }
}

// Returns false if some of the words may be unwritten.
bool check_shared_words(Warp& w, const Access& a) {
  std::uint8_t* written = w.block->shared_written.data() + a.low / 4;
  const std::size_t words = (a.end() - a.low) / 4;
  if (a.store && !a.atomic) {
    std::memset(written, kWholeWord, words);
    return true;
  }
  unsigned all = kWholeWord;
  for (std::size_t k = 0; k < words; ++k) all &= written[k];
  return all == kWholeWord;
}

void check_global_load(Warp& w, const Instruction& i, int lane, const Access& a) {
  Allocation& memory = a.allocation(lane);
  const std::uint64_t address = a.address[lane];
  if (a.store && !a.atomic) {
    memory.note_store(address, a.bytes);
  } else if (!memory.is_written(address, a.bytes)) {
    std::uint64_t first = address;
    while (memory.is_written(first, 1)) ++first;
    w.fail(i, lane,
           describe(a) + " of global memory that was never written, at " + hex(first) + ": " +
               w.block->grid->memory->describe(first));
  }
}

// Returns false if some of the bytes may be unwritten.
bool check_global_range(const Access& a) {
  const auto bytes = static_cast<unsigned>(a.end() - a.low);
  if (!a.store || a.atomic) return a.memory->is_written(a.low, bytes);
  a.memory->note_store(a.low, bytes);
  return true;
}

// Checks words of shared memory that lanes access in any order. Inactive lanes repeat the address of an
// active one.
template <class Words>
bool are_written(const Warp& w, const Access& a) {
  const std::uint8_t* written = w.block->shared_written.data();
  Words all = static_cast<Words>(~Words(0));
  for (Slot l = 0; l < kLanes; ++l) {
    Words of_lane;
    std::memcpy(&of_lane, written + a.address[l] / 4, sizeof of_lane);
    all &= of_lane;
  }
  return all == static_cast<Words>(0x0f0f0f0f);
}
bool are_written(const Warp& w, const Access& a) {
  return a.bytes == 4   ? are_written<std::uint8_t>(w, a)
         : a.bytes == 8 ? are_written<std::uint16_t>(w, a)
                        : are_written<std::uint32_t>(w, a);
}

template <class Words>
void mark_written(const Warp& w, const Access& a) {
  constexpr auto kWritten = static_cast<Words>(0x0f0f0f0f);
  for (Slot l = 0; l < kLanes; ++l)
    std::memcpy(w.block->shared_written.data() + a.address[l] / 4, &kWritten, sizeof kWritten);
}
void mark_written(const Warp& w, const Access& a) {
  return a.bytes == 4   ? mark_written<std::uint8_t>(w, a)
         : a.bytes == 8 ? mark_written<std::uint16_t>(w, a)
                        : mark_written<std::uint32_t>(w, a);
}

// Checks an access of all lanes together if its bytes are contiguous or its allocation is fully written.
// Returns false if the access must be checked lane by lane.
bool check_whole(Warp& w, const Access& a) {
  const bool dense = a.is_contiguous() || a.is_uniform();
  if (a.space == Space::shared && a.bytes < 4) return false;
  if (a.space == Space::shared) {
    if (dense) return check_shared_words(w, a);
    if (!a.store || a.atomic) return are_written(w, a);
    mark_written(w, a);
    return true;
  }
  if (a.space != Space::global || !a.memory) return false;
  return a.memory->is_all_written() || (dense && check_global_range(a));
}

void check_local(Warp& w, const Instruction& i, int lane, const Access& a) {
  char* written = w.local_written.data() + (a.data[lane] - w.locals.data());
  if (a.store)
    std::memset(written, 1, a.bytes);
  else if (std::memchr(written, 0, a.bytes))
    w.fail(i, lane,
           describe(a) + " of local memory that the thread has not written, at offset " +
               std::to_string(a.address[lane]));
}

void check_parameters(Warp& w, const Instruction& i, int lane, const Access& a) {
  const auto& parameters = w.block->grid->kernel->syntax->parameters;
  const bool inside = std::any_of(parameters.begin(), parameters.end(), [&](const Variable& p) {
    return a.address[lane] >= p.address && a.address[lane] + a.bytes <= p.address + p.size;
  });
  if (!inside)
    w.fail(i, lane,
           describe(a) + " of the parameters at offset " + std::to_string(a.address[lane]) +
               ", which is not inside one parameter");
}

}  // namespace

void check_initialised(Warp& w, const Instruction& i, const Access& a) {
  if (check_whole(w, a)) return;
  const auto each_address = [&](auto check) {
    std::uint64_t last = ~std::uint64_t(0);
    for (std::uint32_t left = w.active; left; left &= left - 1) {
      const int lane = std::countr_zero(left);
      if (a.address[lane] != last) check(w, i, lane, a);
      last = a.address[lane];
    }
  };
  const auto each_lane = [&](auto check) {
    for (std::uint32_t left = w.active; left; left &= left - 1) check(w, i, std::countr_zero(left), a);
  };
  switch (a.space) {
    case Space::shared:
      return each_address([](auto&&... of) { check_shared_load(of...); });
    case Space::local:
      return each_lane(check_local);
    case Space::param:
      return each_lane(check_parameters);
    default:
      return each_address([](auto&&... of) { check_global_load(of...); });
  }
}

}  // namespace ptx
