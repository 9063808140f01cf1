// A race checker that knows CUDA's rules. The kernels are compiled (not linked) with -fsanitize=thread, so
// the compiler reports each load and store to the functions at the end of this file, which compare it with
// the last ones to the same place.
#include <dlfcn.h>
#include <link.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detail.h"

namespace simt::detail {
namespace {

// Who else may have made the access before it was overwritten here by a later one.
enum class Spread : std::uint8_t { thread, warp, block, grid };

struct Access {
  Clock at{};  // at.grid == 0: none yet
  std::uint32_t time = 0;
  Spread spread = Spread::thread;
  bool atomic = false;
  const void* pc = nullptr;
};
struct Cell {
  Access write, read;
};

// What is remembered of 1024 bytes: by words, or by bytes once somebody has touched less than a word.
class Page {
 public:
  static constexpr std::uintptr_t kBytes = 1024;
  Cell& cell(std::uintptr_t address) { return cells_[address % kBytes / bytes_per_cell_]; }
  unsigned bytes_per_cell() const { return bytes_per_cell_; }
  void refine() {
    if (bytes_per_cell_ == 1) return;
    std::vector<Cell> bytes(kBytes);
    for (std::size_t i = 0; i < kBytes; ++i) bytes[i] = cells_[i / 4];
    cells_ = std::move(bytes);
    bytes_per_cell_ = 1;
  }

 private:
  unsigned bytes_per_cell_ = 4;
  std::vector<Cell> cells_ = std::vector<Cell>(kBytes / 4);
};

Page& page_of(std::uintptr_t address) {
  static auto& pages = *new std::unordered_map<std::uintptr_t, std::unique_ptr<Page>>;
  static std::uintptr_t last = 0;
  static Page* page = nullptr;
  if (!page || last != address / Page::kBytes) {
    last = address / Page::kBytes;
    auto& slot = pages[last];
    if (!slot) slot = std::make_unique<Page>();
    page = slot.get();
  }
  return *page;
}

// Release and acquire between blocks: __threadfence() stamps the block, an atomic publishes the stamp at its
// address and picks up those of others ("last block done", hand-made flags).
struct Stamps {
  using OfBlocks = std::map<std::uint32_t, std::uint32_t>;  // block -> time
  std::uint32_t now = 1, grid = 0;
  OfBlocks fenced;
  std::unordered_map<std::uintptr_t, OfBlocks> published;
  std::unordered_map<std::uint32_t, OfBlocks> acquired;

  void enter(std::uint32_t launch) {
    if (grid == launch) return;
    grid = launch;
    fenced.clear();
    published.clear();
    acquired.clear();
  }
  void fence(std::uint32_t block) { fenced[block] = now++; }
  void atomic(std::uintptr_t address, std::uint32_t block) {
    OfBlocks& here = published[address];
    if (const auto mine = fenced.find(block); mine != fenced.end()) here[block] = mine->second;
    for (const auto& [other, time] : here) {
      std::uint32_t& seen = acquired[block][other];
      seen = std::max(seen, time);
    }
  }
  bool acquired_by(std::uint32_t block, const Access& old) const {
    const auto mine = acquired.find(block);
    if (mine == acquired.end()) return false;
    const auto found = mine->second.find(old.at.block_rank);
    return found != mine->second.end() && old.time <= found->second;
  }
};
Stamps& stamps() {
  static Stamps& all = *new Stamps;
  return all;
}

// Whether synchronisation of a scope that both share separates the two accesses; if not, `gap` is the scope
// that would have had to.
bool ordered(const Access& old, const Clock& now, bool shared, Spread* gap) {
  *gap = Spread::grid;
  if (old.at.grid != now.grid) return true;
  if (old.at.block_rank != now.block_rank) {
    if (shared) return true;  // another block's variable at the same address
    return old.spread != Spread::grid && stamps().acquired_by(now.block_rank, old);
  }
  if (old.spread == Spread::grid) return false;
  *gap = Spread::block;
  if (old.at.block != now.block) return true;
  if (old.spread == Spread::block || old.at.thread_rank / 32 != now.thread_rank / 32) return false;
  *gap = Spread::warp;
  if (old.at.warp != now.warp) return true;
  if (old.spread == Spread::warp) return false;
  *gap = Spread::thread;
  return old.at.thread_rank == now.thread_rank;
}

bool in_a_module(const void* p) {  // constants, threadIdx and the like
  using Ranges = std::vector<std::pair<std::uintptr_t, std::size_t>>;
  static const Ranges& ranges = *new const Ranges([] {
    Ranges found;
    const auto add = [](dl_phdr_info* module, std::size_t, void* into) {
      for (int i = 0; i < module->dlpi_phnum; ++i)
        if (const auto& h = module->dlpi_phdr[i]; h.p_type == PT_LOAD)
          static_cast<Ranges*>(into)->emplace_back(module->dlpi_addr + h.p_vaddr, h.p_memsz);
      return 0;
    };
    dl_iterate_phdr(add, &found);
    return found;
  }());
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return std::any_of(ranges.begin(), ranges.end(),
                     [=](const auto& r) { return address - r.first < r.second; });
}

std::string source_line(const void* pc) {
  Dl_info info{};
  dladdr(pc, &info);
  char command[512], line[512] = "";
  std::snprintf(command, sizeof command, "addr2line -spCie '%s' %#zx 2>/dev/null", info.dli_fname,
                std::size_t(static_cast<const char*>(pc) - static_cast<const char*>(info.dli_fbase)) - 1);
  if (FILE* pipe = popen(command, "r")) {
    if (!std::fgets(line, sizeof line, pipe)) line[0] = 0;
    pclose(pipe);
  }
  std::string text(line, std::strcspn(line, "\n("));
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

struct Touch {
  const void* p;
  std::size_t bytes;
  bool write, atomic;
  const void* pc;
};

void report(const char* what, const Touch& touch, const Access& old, const Clock& now, bool shared) {
  fail(
      "race on %s memory at %p: a %s by this thread (rank %u) in %s is unordered with that of thread %u of "
      "block %u in %s",
      shared ? "shared" : "global", touch.p, what, now.thread_rank, source_line(touch.pc).c_str(),
      old.at.thread_rank, old.at.block_rank, source_line(old.pc).c_str());
}

void compare(const Touch& touch, const Cell& cell, const Clock& now, bool shared) {
  Spread gap;
  const bool both_atomic = touch.atomic && cell.write.atomic;
  if (cell.write.at.grid && !both_atomic && !ordered(cell.write, now, shared, &gap))
    report(touch.write ? "store" : "load", touch, cell.write, now, shared);
  if (touch.write && cell.read.at.grid && !ordered(cell.read, now, shared, &gap))
    report("store", touch, cell.read, now, shared);
}

void record(const Touch& touch, Cell& cell, const Clock& now, bool shared) {
  Access& slot = touch.write ? cell.write : cell.read;
  Spread gap = Spread::thread;
  const bool replaces = slot.at.grid == 0 || ordered(slot, now, shared, &gap);
  slot = {now, stamps().now, replaces ? Spread::thread : std::max(slot.spread, gap), touch.atomic, touch.pc};
}

void check(const Touch& touch) {
  if (is_private(touch.p)) return;
  const bool shared = in_shared_memory(touch.p);
  if (!shared && !in_device_memory(touch.p, touch.bytes)) {
    if (in_a_module(touch.p)) return;
    fail("%s of host memory (or past an array) at %p, %s", touch.write ? "store" : "load", touch.p,
         source_line(touch.pc).c_str());
  }
  const Clock now = clock_of_running_thread();
  stamps().enter(now.grid);
  const auto first = reinterpret_cast<std::uintptr_t>(touch.p);
  for (std::uintptr_t a = first; a < first + touch.bytes;) {
    Page& page = page_of(a);
    if ((first | touch.bytes) % 4) page.refine();
    Cell& cell = page.cell(a);
    compare(touch, cell, now, shared);
    record(touch, cell, now, shared);
    a += page.bytes_per_cell();
  }
  if (touch.atomic) stamps().atomic(first, now.block_rank);
}

inline void touched(const void* p, std::size_t bytes, bool write, bool atomic, const void* pc) {
  if (kernel_running())
    check({p, bytes, write, atomic, pc});  // host code in .cu files reports its accesses too
}

}  // namespace

void on_fence() {
  if (kernel_running()) stamps().fence(clock_of_running_thread().block_rank);
}

}  // namespace simt::detail

using simt::detail::touched;

#define PC __builtin_return_address(0)

extern "C" {

#define SIMT_ACCESSES(n)                                                      \
  void __tsan_read##n(void* p) { touched(p, n, false, false, PC); }           \
  void __tsan_write##n(void* p) { touched(p, n, true, false, PC); }           \
  void __tsan_unaligned_read##n(void* p) { touched(p, n, false, false, PC); } \
  void __tsan_unaligned_write##n(void* p) { touched(p, n, true, false, PC); }
SIMT_ACCESSES(1)
SIMT_ACCESSES(2)
SIMT_ACCESSES(4)
SIMT_ACCESSES(8)
SIMT_ACCESSES(16)
void __tsan_read_range(void* p, std::size_t n) { touched(p, n, false, false, PC); }
void __tsan_write_range(void* p, std::size_t n) { touched(p, n, true, false, PC); }
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

// The host's other threads may count references in instrumented code, so these really are atomic.
#define SIMT_FETCH(bits, name)                                                      \
  Bits##bits __tsan_atomic##bits##_fetch_##name(Bits##bits* p, Bits##bits v, int) { \
    touched(p, bits / 8, true, true, PC);                                           \
    return __atomic_fetch_##name(p, v, __ATOMIC_SEQ_CST);                           \
  }
#define SIMT_COMPARE_EXCHANGE(bits, name)                                                                   \
  int __tsan_atomic##bits##_compare_exchange_##name(Bits##bits* p, Bits##bits* expected, Bits##bits v, int, \
                                                    int) {                                                  \
    touched(p, bits / 8, true, true, PC);                                                                   \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);          \
  }
#define SIMT_ATOMICS(bits)                                                                                \
  using Bits##bits = std::uint##bits##_t;                                                                 \
  Bits##bits __tsan_atomic##bits##_load(const Bits##bits* p, int) {                                       \
    touched(p, bits / 8, true, true, PC);                                                                 \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                          \
  }                                                                                                       \
  void __tsan_atomic##bits##_store(Bits##bits* p, Bits##bits v, int) {                                    \
    touched(p, bits / 8, true, true, PC);                                                                 \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                             \
  }                                                                                                       \
  Bits##bits __tsan_atomic##bits##_exchange(Bits##bits* p, Bits##bits v, int) {                           \
    touched(p, bits / 8, true, true, PC);                                                                 \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                       \
  Bits##bits __tsan_atomic##bits##_compare_exchange_val(Bits##bits* p, Bits##bits expected, Bits##bits v, \
                                                        int, int) {                                       \
    touched(p, bits / 8, true, true, PC);                                                                 \
    __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);              \
    return expected;                                                                                      \
  }                                                                                                       \
  SIMT_COMPARE_EXCHANGE(bits, strong)                                                                     \
  SIMT_COMPARE_EXCHANGE(bits, weak)                                                                       \
  SIMT_FETCH(bits, add)                                                                                   \
  SIMT_FETCH(bits, sub)                                                                                   \
  SIMT_FETCH(bits, and)                                                                                   \
  SIMT_FETCH(bits, or)                                                                                    \
  SIMT_FETCH(bits, xor)
SIMT_ATOMICS(8)
SIMT_ATOMICS(16)
SIMT_ATOMICS(32)
SIMT_ATOMICS(64)

}  // extern "C"
