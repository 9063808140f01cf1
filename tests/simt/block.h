// The threads, warps and blocks of the launch in progress, shared by the scheduler's two files.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "detail.h"
#include "fiber.h"
#include "simt.h"

namespace simt::detail {

struct Rendezvous {  // where a thread waits, and what it brought
  const char* name = nullptr;
  Where where{};
  unsigned mask = 0;
  const void* in = nullptr;
  void* out = nullptr;

  bool same_place(const Rendezvous& other) const;
  std::string text() const;
};

struct Block;

struct Thread {
  uint3 index{};
  unsigned rank = 0;
  Block* block = nullptr;
  Fiber fiber{};
  bool done = false, waits = false;
  Rendezvous rendezvous{};

  unsigned lane() const { return rank % 32; }
  void wait();
};

struct Warp {
  unsigned alive = 0, waiting = 0;  // lanes
  std::uint16_t clock = 0;
};

struct Block {
  uint3 index;
  unsigned rank;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::deque<Thread*> ready;
  unsigned done = 0, arrived = 0, votes = 0, at_grid = 0, spins = 0;
  Tally tally{};
  std::uint16_t clock = 0;
  std::shared_ptr<char> dynamic;  // shared memory
  std::vector<char> statics;      // the block's __shared__ variables while another block runs

  explicit Block(unsigned rank);
  void run();  // its threads, until none can go on by itself
  void wake(Thread& t);
  void abandon();  // gives the stacks back without unwinding them
  bool finished() const { return done == threads.size(); }
  bool parked() const { return at_grid == threads.size(); }
  Warp& warp_of(const Thread& t) { return warps[t.rank / 32]; }
  std::string census() const;  // where everybody is
};

struct Running {  // the launch in progress
  const Launch* launch = nullptr;
  bool cooperative = false;
  std::size_t dynamic_bytes = 0;
  char* statics = nullptr;  // the __shared__ variables of the kernel's module: its thread-local block
  std::size_t static_bytes = 0;
  std::string failure;
  std::uint32_t grid_clock = 0;
};
extern Running running;

}  // namespace simt::detail
