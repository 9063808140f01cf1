// The machine that runs decoded kernels: instructions, warps, blocks, grids.
#pragma once

#include <random>

#include "opcode.h"
#include "syntax.h"

namespace ptx {

struct Warp;
struct Instruction;
using Handler = void (*)(Warp&, const Instruction&);

// Registers and constants are arrays of 32 lanes. An operand is the byte offset of its array, which is even;
// odd ones are constants, which all warps share. Predicates are masks of lanes.
using Slot = std::uint32_t;
constexpr Slot kNoSlot = ~Slot(0) - 1;

struct Instruction {
  Handler run = nullptr;
  Slot operand[14] = {};
  Slot predicate = kNoSlot;
  std::uint32_t target = 0;  // of a branch
  std::int64_t offset = 0;   // of an address
  bool negated = false;      // the predicate
  bool wide_address = true;  // in a register of 8 bytes, not 4
  Space space = Space::generic;
  Class cls = Class::other;
  std::uint8_t count = 1;  // elements of a vector; operands of others
  std::uint8_t bytes = 4;  // of an element in memory
  std::uint8_t merged =
      1;  // accesses to neighbouring addresses from here on, which ptxas makes one of where aligned
  std::uint8_t mode = 0;                      // what else a handler wants to know
  std::uint8_t from_bytes = 0, to_bytes = 0;  // of registers, for conversions
  const SyntaxInstruction* source = nullptr;
};

struct Kernel {
  std::string name;
  const SyntaxKernel* syntax = nullptr;
  const Program* program = nullptr;
  std::vector<Instruction> code;
  std::vector<char> constants;
  std::size_t register_bytes = 0;  // of a warp
  std::size_t static_shared = 0, local_bytes = 0;
  std::vector<Variable> shared;
  std::vector<char> gaps;  // by 4 bytes of static shared memory: between variables
  // Why the kernel cannot be run, an instruction each. A kernel with refusals is never launched.
  std::vector<std::string> refusals;
};

struct Program {
  std::string text;
  Syntax syntax;
  std::deque<Kernel> kernels;
};
void decode(Kernel& kernel, const Syntax& syntax);
// Gives registers that are never alive together one slot. `widths` in bytes of all lanes; the result by
// register.
std::vector<Slot> allocate_registers(const SyntaxKernel& kernel, Slot first, std::size_t& bytes);
// Which operands an opcode writes: the first, or none.
bool writes_first_operand(std::string_view opcode);

// Registers that every warp has: they stand first.
enum Special : Slot {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLane,
  kWarp,
  kSpecials
};
constexpr Slot kLanes = 32, kSpecialBytes = kSpecials * 4 * kLanes;

// Who last wrote and read a word of shared memory. Times are barriers passed, 0 for never.
struct SharedCell {
  std::uint32_t write_time = 0, read_time = 0;
  std::uint16_t writer = 0, reader = 0, write_sync = 0, read_sync = 0;
  std::uint8_t write_mask = 0, read_mask = 0, written = 0;
  std::uint8_t readers = 0;  // 0: one thread, 1: several of a warp, 2: of several warps
};
struct GlobalCell {
  SharedCell in_block;
  std::uint32_t write_launch = 0, write_block = 0, read_launch = 0, read_block = 0;
  std::uint16_t write_fences = 0;
  bool atomic = false, several_blocks_read = false;
};
struct Allocation {
  std::uint64_t begin = 0, end = 0;
  std::string name;
  bool freed = false, owned = true;
  std::vector<GlobalCell> cells;
  std::vector<bool> written;
};

struct Block;
struct Group {
  std::uint32_t pc, mask;
  bool waiting;  // for other lanes of the warp
};
enum class State : std::uint8_t { ready, at_barrier, at_wait, paused, done };

struct Warp {
  // What handlers use all the time.
  char* base[2] = {};
  std::uint32_t active = 0, pc = 0;
  bool full = false;
  std::uint32_t lane[kLanes] = {};  // `active`, spread: 0 or ~0
  std::uint32_t other_pc = ~0u;     // the lowest of other groups

  Block* block = nullptr;
  unsigned index = 0;  // in the block
  std::uint32_t live = 0;
  State state = State::ready;
  std::uint16_t sync = 0;  // __syncwarp calls passed
  bool triggered = false, waited = false;
  unsigned counted = 0;  // accesses to come that were counted with a merged one
  std::vector<Group> others;
  std::vector<char> registers;  // with room to align
  std::vector<char> locals;     // one piece per lane

  template <class T>
  T* at(Slot s) {
    return reinterpret_cast<T*>(base[s & 1] + (s & ~Slot(1)));
  }
  std::uint32_t& predicate(Slot s) { return *at<std::uint32_t>(s); }
  void set_active(std::uint32_t mask);
  void reschedule();  // goes on with the lowest pc of those that can run
  void wait_for_lanes(const Instruction& i,
                      std::uint32_t wanted);  // the active ones, before this instruction
  void run(unsigned most);                    // until blocked or done, or so many instructions
  [[noreturn]] void fail(const Instruction& i, int lane, const std::string& what);
  unsigned thread(int lane) const { return index * kLanes + static_cast<unsigned>(lane); }
};

struct Released {  // what a block had fenced when it did an atomic: fences by thread
  std::vector<std::uint16_t> fences;
};

struct Grid;
struct Block {
  Grid* grid = nullptr;
  unsigned rank = 0, threads = 0;
  std::vector<Warp> warps;
  std::vector<char> shared;
  std::vector<SharedCell> cells;
  std::vector<std::uint16_t> fences, fences_at_acquire;    // by thread
  std::map<unsigned, std::shared_ptr<Released>> acquired;  // by block
  std::uint32_t time = 1;  // barriers passed by the block, counted on from block to block
  void start(unsigned rank);
  bool run(bool until_trigger);  // until done, or nothing can go on; whether it is done
  bool done() const;
};

struct Grid {
  Memory* memory = nullptr;
  const Launch* launch = nullptr;
  const Kernel* kernel = nullptr;
  Options options;
  std::uint32_t id = 0, predecessor = 0, successor = 0;  // of those that run at the same time
  std::uint64_t limit = 0;                               // of static and dynamic shared memory
  bool predecessor_done = true;
  std::vector<Allocation*> hits;  // by instruction: what it touched last
  struct Site {
    Accesses accesses;
  };
  std::vector<Site> sites;
  std::vector<std::uint64_t> executed;  // by instruction
  std::vector<std::uint64_t> lanes;
  std::map<std::uint64_t, std::map<unsigned, std::shared_ptr<Released>>> released;  // by address of an atomic
  std::mt19937_64 random;
  Counters counters;
};

// One access of a warp to memory.
struct Access {
  std::uint64_t address[kLanes];  // in its space
  char* data[kLanes];             // on the host
  unsigned bytes = 0;             // of a lane
  bool store = false, atomic = false;
  Space space = Space::global;
  Allocation* allocation[kLanes];
  alignas(16) char value[kLanes][16];  // to be stored
};
void translate(Warp& w, const Instruction& i, Slot address, Access& access);
void check_races(Warp& w, const Instruction& i, Access& access);
void acquire_and_release(Warp& w, std::uint64_t address, int lane);
void profile(Warp& w, const Instruction& i, const Access& access);

// The handler of an opcode in a family of instructions, or null if the family does not have it.
Handler approximate_handler(const Opcode& op);
Handler bit_handler(const Opcode& op);
Handler compare_handler(const Opcode& op);
Handler convert_handler(const Opcode& op);
Handler float_handler(const Opcode& op);
Handler integer_handler(const Opcode& op);
Handler matrix_handler(const Opcode& op);
Handler memory_handler(const Opcode& op, unsigned register_bytes);
Handler move_handler(const Opcode& op);
// mov between a register of `whole` bytes and its parts of `part` bytes.
Handler pack_handler(unsigned whole, unsigned part, bool pack);
Handler warp_handler(const Opcode& op);  // branches, barriers, shuffles, votes

// d = f(a, ...) of every active lane. All lanes are computed, so that the loop becomes vector instructions.
template <class D, class A, class F>
inline void map1(Warp& w, const Instruction& i, F f) {
  D* d = w.at<D>(i.operand[0]);
  const A* a = w.at<A>(i.operand[1]);
  if (w.full) {
#pragma GCC ivdep
    for (Slot l = 0; l < kLanes; ++l) d[l] = f(a[l]);
  } else {
#pragma GCC ivdep
    for (Slot l = 0; l < kLanes; ++l) {
      const D r = f(a[l]);
      d[l] = w.lane[l] ? r : d[l];
    }
  }
}
template <class D, class A, class B, class F>
inline void map2(Warp& w, const Instruction& i, F f) {
  D* d = w.at<D>(i.operand[0]);
  const A* a = w.at<A>(i.operand[1]);
  const B* b = w.at<B>(i.operand[2]);
  if (w.full) {
#pragma GCC ivdep
    for (Slot l = 0; l < kLanes; ++l) d[l] = f(a[l], b[l]);
  } else {
#pragma GCC ivdep
    for (Slot l = 0; l < kLanes; ++l) {
      const D r = f(a[l], b[l]);
      d[l] = w.lane[l] ? r : d[l];
    }
  }
}
template <class D, class A, class C, class F>
inline void map3(Warp& w, const Instruction& i, F f) {
  D* d = w.at<D>(i.operand[0]);
  const A* a = w.at<A>(i.operand[1]);
  const A* b = w.at<A>(i.operand[2]);
  const C* c = w.at<C>(i.operand[3]);
  if (w.full) {
#pragma GCC ivdep
    for (Slot l = 0; l < kLanes; ++l) d[l] = f(a[l], b[l], c[l]);
  } else {
#pragma GCC ivdep
    for (Slot l = 0; l < kLanes; ++l) {
      const D r = f(a[l], b[l], c[l]);
      d[l] = w.lane[l] ? r : d[l];
    }
  }
}
inline bool bit(std::uint32_t mask, Slot lane) { return mask >> lane & 1; }

}  // namespace ptx
