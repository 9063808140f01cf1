// The scheduler. A barrier or a warp intrinsic is a rendezvous that suspends a thread until the last
// participant has come and serves everybody. One OS thread runs everything, so a seed always gives the same
// interleaving.
#include "simt.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "block.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {
namespace detail {

Running running;

namespace {

// Thread-local, so that other host threads in instrumented code are not taken for the kernel's.
[[gnu::tls_model("initial-exec")]] thread_local Thread* current;

std::uint64_t seed_of_environment() {
  const char* text = std::getenv("SIMT_SEED");
  return text ? std::strtoull(text, nullptr, 0) : 0;
}
std::uint64_t scrambled(std::uint64_t seed) { return seed * 0x9e3779b97f4a7c15ull + 1; }
std::uint64_t seed = seed_of_environment(), random_state = scrambled(seed);

void fiber_main() {
  Fiber::entered();
  running.launch->invoke(running.launch->call.get());
  Thread& t = *current;
  t.done = true;
  t.block->done++;
  t.block->spins = 0;
  t.block->warp_of(t).alive &= ~(1u << t.lane());
  Fiber::leave_for_good();
}

void resume(Thread& t) {
  current = &t;
  threadIdx = t.index;
  t.fiber.resume(fiber_main);
  current = nullptr;
  if (t.done) t.fiber.release();
  if (!running.failure.empty()) throw Error(running.failure);
}

uint3 position(unsigned rank, dim3 extent) {
  return {rank % extent.x, rank / extent.x % extent.y, rank / (extent.x * extent.y)};
}

std::shared_ptr<char> uninitialised_shared_memory(std::size_t bytes) {
  void* p = nullptr;
  if (bytes && posix_memalign(&p, 1024, bytes)) throw std::bad_alloc();
  if (p) std::memset(p, 0xff, bytes);  // NaN, so that a read before any write shows
  return {static_cast<char*>(p), std::free};
}

}  // namespace

bool Rendezvous::same_place(const Rendezvous& other) const {
  return mask == other.mask && where == other.where && !std::strcmp(name, other.name);
}

std::string Rendezvous::text() const {
  char mask_text[32] = "";
  if (mask) std::snprintf(mask_text, sizeof mask_text, " with mask %08x", mask);
  return std::string(name) + " at " + where.file + ":" + std::to_string(where.line) + mask_text;
}

void Thread::wait() {
  waits = true;
  fiber.suspend();
}

Block::Block(unsigned rank)
    : index(position(rank, gridDim)),
      rank(rank),
      threads(blockDim.x * blockDim.y * blockDim.z),
      warps((threads.size() + 31) / 32),
      dynamic(uninitialised_shared_memory(running.dynamic_bytes)),
      statics(running.static_bytes, char(0xff)) {
  for (unsigned i = 0; i < threads.size(); ++i) {
    threads[i].index = position(i, blockDim);
    threads[i].rank = i;
    threads[i].block = this;
    warps[i / 32].alive |= 1u << i % 32;
    ready.push_back(&threads[i]);
  }
}

void Block::wake(Thread& t) {
  t.waits = false;
  ready.push_back(&t);
}

void Block::run() {
  blockIdx = index;
  for (spins = 0; !ready.empty() && spins <= ready.size();) {
    if (seed) std::swap(ready.front(), ready[random_below(ready.size())]);
    Thread& t = *ready.front();
    ready.pop_front();
    resume(t);
  }
  if (ready.empty() && !finished() && !parked()) throw Error("simt: deadlock " + census());
}

void Block::abandon() {
  for (Thread& t : threads) t.fiber.release();
}

std::string Block::census() const {
  std::map<std::string, std::vector<unsigned>> groups;
  for (const Thread& t : threads)
    groups[t.done ? "have exited" : t.waits ? "wait in " + t.rendezvous.text() : "can run"].push_back(t.rank);
  std::string text = "in block (" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
                     std::to_string(index.z) + "):";
  for (const auto& [what, ranks] : groups)
    text +=
        " " + std::to_string(ranks.size()) + " threads (" + std::to_string(ranks[0]) + ", ...) " + what + ";";
  return text;
}

// ---- what the other files ask ----

bool kernel_running() { return current != nullptr; }
bool lazy() { return seed != 0; }

std::size_t random_below(std::size_t n) {  // xorshift
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % n;
}

Clock clock_of_running_thread() {
  Block& b = *current->block;
  return {running.grid_clock, b.rank, b.clock, b.warp_of(*current).clock, std::uint16_t(current->rank)};
}

bool in_shared_memory(const void* p) {
  const char *c = static_cast<const char*>(p), *dynamic = current->block->dynamic.get();
  return (c >= running.statics && c < running.statics + running.static_bytes) ||
         (c >= dynamic && c < dynamic + running.dynamic_bytes);
}

bool is_private(const void* p) {
  const char* parameters = static_cast<const char*>(running.launch->call.get());
  return Fiber::on_some_stack(p) || (p >= parameters && p < parameters + running.launch->bytes);
}

[[gnu::weak]] void on_fence() {}

}  // namespace detail

using detail::Block;
using detail::current;
using detail::running;
using detail::Thread;
using detail::Warp;

void set_seed(std::uint64_t s) {
  const std::scoped_lock lock(detail::device_mutex());
  detail::finish_all_streams();
  detail::seed = s;
  detail::random_state = detail::scrambled(s);
}
std::uint64_t seed() { return detail::seed; }

void fail(const char* format, ...) {
  char text[1024], place[128] = "simt: ";
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (!current) throw Error(std::string(place) + text);
  std::snprintf(place, sizeof place, "simt: block (%u,%u,%u) thread (%u,%u,%u): ", blockIdx.x, blockIdx.y,
                blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
  running.failure = std::string(place) + text;
  current->fiber.suspend();  // for ever
  std::abort();
}

// ---- the rendezvous that simt.h builds on ----

int lane() { return int(current->lane()); }
void* dynamic_shared() { return current->block->dynamic.get(); }

void yield() {
  Block& b = *current->block;
  b.spins++;
  b.ready.push_back(current);
  current->fiber.suspend();
}

Tally block_barrier(const char* name, bool vote, Where where) {
  Block& b = *current->block;
  current->rendezvous = {.name = name, .where = where};
  b.votes += vote;
  b.spins = 0;
  if (++b.arrived < b.threads.size()) {
    current->wait();
    return b.tally;
  }
  for (const Thread& t : b.threads)
    if (!t.rendezvous.same_place(current->rendezvous))
      fail("threads of one block meet in different barriers: %s, but thread %u in %s",
           current->rendezvous.text().c_str(), t.rank, t.rendezvous.text().c_str());
  b.tally = {int(b.votes), b.votes == b.threads.size(), b.votes != 0};
  b.arrived = b.votes = 0;
  b.clock++;
  for (Thread& t : b.threads)
    if (&t != current) b.wake(t);
  return b.tally;
}

void grid_barrier(Where where) {
  if (!running.cooperative) fail("grid sync in a launch without cudaLaunchAttributeCooperative");
  current->rendezvous = {.name = "grid sync", .where = where};
  current->block->at_grid++;
  current->block->spins = 0;
  current->wait();
}

namespace {
template <class Visit>
void for_each_lane(unsigned mask, Visit visit) {
  for (unsigned i = 0; i < 32; ++i)
    if (mask >> i & 1) visit(i);
}
}  // namespace

void warp_gather(const char* name, unsigned mask, Memory memory, const void* in, void* out, std::size_t bytes,
                 Where where) {
  Block& b = *current->block;
  Warp& w = b.warp_of(*current);
  const unsigned self = current->lane();
  Thread* lanes = current - self;
  if (!(mask >> self & 1)) fail("%s: mask %08x leaves the calling lane out", name, mask);
  if (mask & ~w.alive)
    fail("%s: mask %08x names lanes that do not exist or have exited (alive: %08x)", name, mask, w.alive);
  current->rendezvous = {name, where, mask, in, out};
  w.waiting |= 1u << self;
  b.spins = 0;
  if ((w.waiting & mask) != mask) return current->wait();

  alignas(16) char all[32 * 32];
  std::memset(all, 0xff, 32 * bytes);
  for_each_lane(mask, [&](unsigned i) {
    if (!lanes[i].rendezvous.same_place(current->rendezvous))
      fail("lanes of one warp meet in different calls: %s, but lane %u in %s",
           current->rendezvous.text().c_str(), i, lanes[i].rendezvous.text().c_str());
    std::memcpy(all + i * bytes, lanes[i].rendezvous.in, bytes);
  });
  for_each_lane(mask, [&](unsigned i) {
    std::memcpy(lanes[i].rendezvous.out, all, 32 * bytes);
    if (i != self) b.wake(lanes[i]);
  });
  w.waiting &= ~mask;
  if (memory == Memory::ordered) w.clock++;
}

}  // namespace simt

void __threadfence() { simt::detail::on_fence(); }
