// The state of running blocks and grids.
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
  GlobalHistory history;  // by word; allocated at the first checked access

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
  void release_state();  // frees the state of a freed allocation

 private:
  bool is_written_bytewise(std::uint64_t address, unsigned bytes) const;
  std::vector<std::uint8_t> written_;  // by word, one bit per byte; empty if all bytes have the same state
  std::uint64_t unwritten_ = 0;        // number of unwritten bytes
};

// The set of completed launches by id: all ids below `all_before`, and some above.
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
  std::uint64_t later_ = 0;  // bit k stands for id all_before_ + k
};

struct Grid;

enum class Outcome : std::uint8_t {
  done,     // all warps have exited
  blocked,  // waits at griddepcontrol.wait
  paused,   // stopped after launch_dependents, until the dependent grid has started
  running,  // its turn has ended
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
  StoreBuffer stores;      // plain global stores that other blocks cannot see yet
  std::uint32_t time = 1;  // number of passed barriers; it continues from block to block
  bool triggered = false;  // has executed launch_dependents

  void start(Grid& of, unsigned number);
  Outcome run();
  void resume();  // continues after griddepcontrol.wait or a pause

 private:
  bool run_warps();
  bool pass_barrier();
  void finish();
};

// Finished blocks, whose memory later blocks reuse, also those of later launches.
struct SpareBlocks {
  std::list<Block> blocks;
};

struct Grid {
  Memory* memory = nullptr;
  const Launch* launch = nullptr;
  const Kernel* kernel = nullptr;
  Options options;
  std::uint32_t id = 0;
  std::uint32_t first_of_run = 0;  // first of the launches that may overlap with this one
  std::uint64_t shared_bytes = 0;  // static and dynamic
  std::uint64_t instructions_left = 0;
  bool predecessor_complete = true;
  bool pauses_at_trigger = false;  // a dependent grid has not started yet
  bool any_waited = false;
  std::size_t triggered_blocks = 0;

  // The launches known to be complete when the grid starts, after its griddepcontrol.wait, and when a
  // dependent grid starts.
  Completed at_start, after_wait, at_trigger;

  std::vector<Allocation*> hits;  // by instruction: the allocation that it accessed last
  // By instruction: whether a load of parameters at a constant offset has already been checked.
  std::vector<char> parameter_checked;
  std::vector<std::uint64_t> executed;                       // by instruction: number of executions
  std::unordered_map<std::uint64_t, AtomicHistory> atomics;  // by address
  std::vector<const Block*> residents;
  std::deque<StoreBuffer> unpublished;  // withheld stores of recently finished blocks, oldest first
  std::mt19937_64 random;
  Counters counters;

  const Completed& known(bool waited) const { return waited ? after_wait : at_start; }
  Completed when_complete() const;
  // Takes over the stores of a finished block that no fence has published. Other blocks need not see them
  // yet, so they are withheld until kUnpublished more blocks have finished (schedule.cpp).
  void keep_stores(StoreBuffer stores);
  void publish_all();
  [[noreturn]] void fail_hang() const;
};

// One access of a warp to memory. Properties of all lanes are computed once, so that checks need not visit
// each lane.
struct Access {
  // Addresses in their space. Inactive lanes repeat the address of the first active lane.
  alignas(64) std::uint64_t address[kLanes];
  alignas(64) char* data[kLanes];  // on the host
  unsigned bytes = 0;              // per lane
  bool store = false, atomic = false;
  Space space = Space::global;
  int first = 0, last = 0;          // active lanes
  std::uint64_t low = 0, high = 0;  // the lowest and the highest address
  std::uint64_t any_bit = 0;        // OR of all addresses
  // The distance between the addresses of neighbouring lanes, or kIrregular. It is known only if all lanes
  // from the first to the last are active.
  std::uint64_t stride = kIrregular;
  Allocation* memory = nullptr;  // the allocation that holds the addresses of all lanes, or null
  Allocation* memories[kLanes];  // by lane, used if `memory` is null
  // The stored values: the lower bytes of registers, one register per element of the vector.
  const char* registers[4];
  unsigned register_bytes = 0, element_bytes = 0;

  static constexpr std::uint64_t kIrregular = ~std::uint64_t(0);
  bool is_uniform() const { return low == high; }
  bool is_contiguous() const { return stride == bytes; }
  std::uint64_t end() const { return high + bytes; }
  // Number of lanes of a regular access.
  unsigned lanes() const { return static_cast<unsigned>(last - first) + 1; }
  Allocation& allocation(int lane) const { return *(memory ? memory : memories[lane]); }
  void copy_value(int lane, char* to) const;  // copies the `bytes` bytes that a lane stores
};

const char* name_of(Space space);
std::string hex(std::uint64_t x);
// Returns a text such as "4-byte load".
std::string describe(const Access& access);

void translate(Warp& w, const Instruction& i, Slot address, Access& access);
void check_initialised(Warp& w, const Instruction& i, const Access& access);
void check_races(Warp& w, const Instruction& i, const Access& access);
void profile(Warp& w, const Instruction& i, const Access& access);

// ---- the ordering of accesses ----
inline Moment moment_of(const Warp& w, int lane) {
  const unsigned thread = w.thread(lane);
  return {thread, w.block->time, w.sync, w.block->fences.count(thread)};
}
void acquire_and_release(Warp& w, std::uint64_t address, int lane);
bool ordered_by_atomics(const Block& block, const Moment& now, unsigned from_block, const Moment& access);
bool ordered_behind_all_blocks(const Block& block, const Moment& now);

// Returns "PTX line 12 (file.cu:34): ld.global.f32 ...".
std::string place_of(const Kernel& kernel, const Instruction& i);
std::string coordinates(unsigned rank, Dim3 of);

}  // namespace ptx
