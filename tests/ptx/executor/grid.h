// The state of blocks and grids while they run.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <random>
#include <unordered_map>

#include "machine.h"
#include "race.h"
#include "store_buffer.h"

namespace ptx {

struct Allocation {
  std::uint64_t begin = 0, end = 0;
  std::string name;
  bool freed = false, owned = true;
  GlobalHistory history;  // by word; allocated at the first access that is checked

  std::size_t word(std::uint64_t address) const { return address / 4 - begin / 4; }
  void set_written(std::uint64_t address, std::uint64_t bytes, bool value);
  bool is_all_written() const { return unwritten_ == 0; }
  bool is_written(std::uint64_t address, unsigned bytes) const {
    return unwritten_ == 0 || is_written_bytewise(address, bytes);
  }
  void note_store(std::uint64_t address, unsigned bytes) {
    if (unwritten_ != 0) set_written(address, bytes, true);
  }
  void mark_all(bool value);
  void release_state();  // of a freed allocation

 private:
  bool is_written_bytewise(std::uint64_t address, unsigned bytes) const;
  std::vector<std::uint8_t> written_;  // by word, one bit per byte; empty while all bytes are alike
  std::uint64_t unwritten_ = 0;        // bytes
};

// Launches that have completed, by id: all below `all_before`, and some behind.
class Completed {
 public:
  explicit Completed(std::uint32_t all_before = 0) : all_before_(all_before) {}
  std::uint32_t all_before() const { return all_before_; }
  bool contains(std::uint32_t id) const {
    return id < all_before_ || (id - all_before_ < 64 && (later_ >> (id - all_before_) & 1));
  }
  void add(std::uint32_t id);
  void merge(const Completed& other);

 private:
  void normalise();
  std::uint32_t all_before_ = 0;
  std::uint64_t later_ = 0;  // bit k: all_before_ + k
};

struct Grid;

enum class Outcome : std::uint8_t {
  done,     // all warps have exited
  blocked,  // by griddepcontrol.wait
  paused,   // behind launch_dependents, until the dependent grid has started
  running,  // its turn is over
};

struct Block {
  Grid* grid = nullptr;
  unsigned rank = 0, threads = 0;
  std::vector<Warp> warps;
  std::vector<char> shared;
  std::vector<std::uint8_t> shared_written;  // by word, one bit per byte
  SharedHistory history;                     // by word
  Fences fences;
  std::vector<Acquire> acquires;
  StoreBuffer stores;      // plain global stores that other blocks do not see yet
  std::uint32_t time = 1;  // barriers passed; it continues from block to block
  bool triggered = false;  // launch_dependents

  void start(Grid& of, unsigned number);
  Outcome run();
  void resume();  // behind a griddepcontrol.wait or a pause

 private:
  bool run_warps();
  bool pass_barrier();
  void finish();
};

// Blocks that have ended. The next ones, also those of later launches, take over their memory.
struct SpareBlocks {
  std::list<Block> blocks;
};

struct Grid {
  Memory* memory = nullptr;
  const Launch* launch = nullptr;
  const Kernel* kernel = nullptr;
  Options options;
  std::uint32_t id = 0;
  std::uint32_t first_of_run = 0;  // the first launch of those that may overlap with this one
  std::uint64_t shared_bytes = 0;  // static and dynamic
  std::uint64_t instructions_left = 0;
  bool predecessor_complete = true;
  bool pauses_at_trigger = false;  // a dependent grid has still to start
  bool any_waited = false;
  std::size_t triggered_blocks = 0;

  // What is known to be complete: when the grid starts, behind its griddepcontrol.wait, and when a dependent
  // starts.
  Completed at_start, after_wait, at_trigger;

  std::vector<Allocation*> hits;        // by instruction: the allocation that it accessed last
  std::vector<char> parameter_checked;  // by instruction, where the address does not vary
  std::vector<std::uint64_t> executed;
  std::unordered_map<std::uint64_t, AtomicHistory> atomics;  // by address
  std::vector<const Block*> residents;
  std::deque<StoreBuffer> unpublished;  // of blocks that ended last, oldest first
  std::mt19937_64 random;
  Counters counters;

  const Completed& known(bool waited) const { return waited ? after_wait : at_start; }
  Completed when_complete() const;
  // Takes over the stores of a block that ends. No rule makes them visible to other blocks of the grid, so
  // that those of the last blocks are withheld.
  void keep_stores(StoreBuffer stores);
  void publish_all();
  [[noreturn]] void fail_hang() const;
};

// One access of a warp to memory. What holds of all lanes is found once, so that checks need not look at
// each.
struct Access {
  // In its space. Inactive lanes repeat the address of the first active one.
  alignas(64) std::uint64_t address[kLanes];
  alignas(64) char* data[kLanes];  // on the host
  unsigned bytes = 0;              // per lane
  bool store = false, atomic = false;
  Space space = Space::global;
  int first = 0, last = 0;          // active lanes
  std::uint64_t low = 0, high = 0;  // the lowest and the highest address
  std::uint64_t any_bit = 0;        // the bits that at least one of the addresses has
  // The distance of the addresses of neighbouring lanes, or kIrregular. It is known only where all lanes from
  // the first to the last one are active.
  std::uint64_t stride = kIrregular;
  Allocation* memory = nullptr;  // that holds the addresses of all lanes, or null
  Allocation* memories[kLanes];  // by lane, if `memory` is null
  // What is stored: the lower bytes of registers, each an element of the vector.
  const char* registers[4];
  unsigned register_bytes = 0, element_bytes = 0;

  static constexpr std::uint64_t kIrregular = ~std::uint64_t(0);
  bool is_uniform() const { return low == high; }
  bool is_contiguous() const { return stride == bytes; }
  std::uint64_t end() const { return high + bytes; }
  unsigned lanes() const { return static_cast<unsigned>(last - first) + 1; }  // of a regular access
  Allocation& allocation(int lane) const { return *(memory ? memory : memories[lane]); }
  void copy_value(int lane, char* to) const;  // `bytes` that a lane stores
};

const char* name_of(Space space);
std::string hex(std::uint64_t x);
// "4-byte load".
std::string describe(const Access& access);

void translate(Warp& w, const Instruction& i, Slot address, Access& access);
void check_initialised(Warp& w, const Instruction& i, const Access& access);
void check_races(Warp& w, const Instruction& i, const Access& access);
void profile(Warp& w, const Instruction& i, const Access& access);

// Rules of ordering.
inline Moment moment_of(const Warp& w, int lane) {
  const unsigned thread = w.thread(lane);
  return {thread, w.block->time, w.sync, w.block->fences.count(thread)};
}
void acquire_and_release(Warp& w, std::uint64_t address, int lane);
bool ordered_by_atomics(const Block& block, const Moment& now, unsigned from_block, const Moment& access);
bool ordered_behind_all_blocks(const Block& block, const Moment& now);

// "PTX line 12 (file.cu:34): ld.global.f32 ...".
std::string place_of(const Kernel& kernel, const Instruction& i);
std::string coordinates(unsigned rank, Dim3 of);

}  // namespace ptx
