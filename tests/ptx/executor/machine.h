// The virtual machine that runs decoded kernels: instructions, kernels and warps. grid.h declares blocks and
// grids.
#pragma once

#include "opcode.h"
#include "syntax.h"

namespace ptx {

struct Warp;
struct Instruction;
using Handler = void (*)(Warp&, const Instruction&);

// The location of a register or a constant. Both are arrays of one value per lane, except that a predicate is
// one mask of 32 lanes. An even slot is the byte offset of the array in the registers of the warp. An odd
// slot is the byte offset plus 1 in the constants of the kernel, which all warps share.
using Slot = std::uint32_t;
constexpr Slot kNoSlot = ~Slot(0) - 1;

struct Instruction {
  Handler run = nullptr;
  Slot operand[14] = {};
  Slot predicate = kNoSlot;
  std::uint32_t target = 0;   // branch target
  std::int64_t offset = 0;    // offset of an address
  bool negated = false;       // whether the predicate is negated
  bool wide_address = true;   // whether the address register has 8 bytes, not 4
  bool non_coherent = false;  // whether it is an ld.global.nc, whose memory the kernel must not write
  Space space = Space::generic;
  Class cls = Class::other;
  std::uint8_t count = 1;  // number of elements of a vector load or store
  std::uint8_t bytes = 4;  // size of an element in memory
  // Number of consecutive accesses to adjacent addresses, counted from this one, that ptxas merges into one
  // access if they are aligned.
  std::uint8_t merged = 1;
  std::uint8_t mode = 0;                      // variant of the instruction; its handler defines the values
  std::uint8_t from_bytes = 0, to_bytes = 0;  // register sizes of conversions
  const SyntaxInstruction* source = nullptr;
};

// A register that some path reads before it is written. All its bits are set at the start of a warp, so that
// it is a NaN or an invalid address.
struct UnsetRegister {
  Slot slot;
  Slot bytes;  // size for all lanes
};

// The half-open range of shared-memory addresses of a variable, rounded up to whole 4-byte words.
struct Stretch {
  std::uint64_t begin, end;
};

struct Kernel {
  std::string name;
  const SyntaxKernel* syntax = nullptr;
  const Program* program = nullptr;
  std::vector<Instruction> code;
  std::vector<Class> classes;  // the class of each instruction in `code`
  std::vector<char> constants;
  std::size_t register_bytes = 0;  // per warp
  std::vector<UnsetRegister> unset;
  std::size_t static_shared = 0, local_bytes = 0;
  std::vector<Variable> shared;
  std::vector<Stretch> stretches;  // of static shared memory, one per variable
  // The reasons why the kernel cannot run, one per refused instruction. A kernel with refusals is never
  // launched.
  std::vector<std::string> refusals;
};

struct Program {
  std::string text;
  Syntax syntax;
  std::deque<Kernel> kernels;
};
void decode(Kernel& kernel, const Syntax& syntax);
// Assigns slots from `first` on to all registers. Registers that are never live at the same time may share a
// slot. Sets the kernel's `register_bytes` and `unset`, and returns the slot of each register.
std::vector<Slot> allocate_registers(Kernel& kernel, Slot first);
// Returns whether an opcode writes its first operand. No opcode writes any other operand.
bool writes_first_operand(std::string_view opcode);

// The special registers, such as %tid.x. Their slots precede those of all other registers: register k has
// slot k * 4 * kLanes.
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

struct Block;

// Lanes of a warp that are at the same instruction.
struct Group {
  std::uint32_t pc, mask;
  bool waiting;  // whether it waits for other lanes of the warp, for example at a bar.warp.sync
};

// A bar.warp.sync that some, but not all, live lanes of a warp have passed.
struct PartialSync {
  std::uint16_t number;
  std::uint32_t mask;
};

enum class State : std::uint8_t { ready, at_barrier, at_wait, paused, done };

struct Warp {
  // The members that handlers use most often come first.
  char* base[2] = {};
  std::uint32_t active = 0, pc = 0;
  bool full = false;
  std::uint32_t lane[kLanes] = {};  // `active`, expanded to one word per lane: 0 or ~0
  std::uint32_t other_pc = ~0u;     // the warp must call reschedule() when its pc reaches this value

  Block* block = nullptr;
  unsigned index = 0;      // number of the warp in its block
  std::uint32_t live = 0;  // lanes that have not exited
  State state = State::ready;
  std::uint16_t sync = 0;       // number of bar.warp.sync instructions that the warp has passed
  std::uint16_t full_sync = 0;  // value of `sync` after the last one that all live lanes passed together
  std::uint32_t waited = 0;     // lanes that have passed a griddepcontrol.wait
  // Number of the following accesses that the profile has already counted as part of a merged access.
  unsigned counted = 0;
  std::vector<PartialSync> partial_syncs;  // since the last sync of all live lanes
  std::vector<Group> others;               // groups that are not running
  std::vector<char> registers;             // with extra space for alignment
  std::vector<char> locals;                // local memory, `local_bytes` per lane
  std::vector<char> local_written;         // whether each byte of `locals` has been written

  template <class T>
  T* at(Slot s) {
    return reinterpret_cast<T*>(base[s & 1] + (s & ~Slot(1)));
  }
  std::uint32_t& predicate(Slot s) { return *at<std::uint32_t>(s); }
  unsigned thread(int l) const { return index * kLanes + static_cast<unsigned>(l); }

  void start(Block& of, unsigned number);
  void set_active(std::uint32_t mask);
  // Merges groups at the same pc and continues with the runnable group that has the lowest pc. Sets
  // `other_pc` to the lowest pc of the other groups, or to 0 if one of them waits.
  void reschedule();
  // Continues with a group that does not have the lowest pc, so that spinning lanes do not starve the others.
  void rotate_groups();
  // Suspends the active lanes before this instruction until the other lanes of `wanted` arrive.
  void wait_for_lanes(const Instruction& i, std::uint32_t wanted);
  // Records a bar.warp.sync of the lanes in `mask`.
  void synchronise(std::uint32_t mask);
  // Runs until the warp is blocked or done, or for at most `most` instructions.
  void run(std::uint64_t most);
  [[noreturn]] void fail(const Instruction& i, int lane, const std::string& what);

 private:
  void write_special_registers();
  [[noreturn]] void fail_deadlock();
};

// Each function returns the handler of an opcode of one family of instructions, or null if the opcode is not
// in that family.
Handler approximate_handler(const Opcode& op);
Handler bit_handler(const Opcode& op);
Handler compare_handler(const Opcode& op);
Handler convert_handler(const Opcode& op);
Handler float_handler(const Opcode& op);
Handler integer_handler(const Opcode& op);
Handler matrix_handler(const Opcode& op);
Handler memory_handler(const Opcode& op, unsigned register_bytes);
Handler move_handler(const Opcode& op);
// Handles mov between a register of `whole` bytes and its parts of `part` bytes.
Handler pack_handler(unsigned whole, unsigned part, bool pack);
Handler warp_handler(const Opcode& op);  // branches, barriers, shuffles, votes

// map1, map2 and map3 compute d = f(a, ...) for every active lane. Their loops compute all lanes and discard
// the results of inactive ones, so that the compiler can vectorise them.
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
