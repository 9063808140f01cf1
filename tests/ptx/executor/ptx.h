// Executes on the CPU the PTX that nvcc compiled, so that tests cover the compiled kernels and not a
// recompilation of their source.
//
//   ptx::Memory memory;
//   auto module = ptx::Module::load(text);
//   float* x = memory.allocate<float>(1024);
//   ptx::Counters c = module.launch(memory, "scale", {4}, {256}, 0, x, 2.0f);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ptx {

// Reports an error of a kernel, or a feature that the executor does not support. The text names kernel, line,
// block, thread and address.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  std::size_t count() const { return std::size_t(x) * y * z; }
};

// The order in which the warps of a block and the blocks of a grid run.
enum class Order : std::uint8_t { ascending, descending, random };

// How a tensor core adds its products to the accumulator.
enum class Accumulate : std::uint8_t {
  exact,       // in double, rounded once
  truncating,  // aligned to the largest exponent and cut off, as measured on NVIDIA's tensor cores
};

// Results of approximate instructions (such as ex2.approx): the nearest float, or the lowest or highest float
// within the documented error.
enum class Approximation : std::uint8_t { nearest, low, high };

struct Options {
  bool races = true;          // report races of threads, warps, blocks and overlapping grids
  bool uninitialized = true;  // report reads of shared, global and local memory that was never written
  bool profile = true;        // count sectors, bank conflicts, and instructions by class
  // A block's plain global stores become visible to other blocks of the grid only at a fence, at an atomic of
  // the block on the same address, or some time after the block has ended.
  bool delayed_stores = false;
  Order order = Order::ascending;
  std::uint64_t seed = 1;  // seed of Order::random
  Accumulate accumulate = Accumulate::exact;
  Approximation approximation = Approximation::nearest;
  // Limit on the warp instructions of one launch; exceeding it counts as a hang.
  std::uint64_t watchdog = 1ull << 32;
};

enum class Class : std::uint8_t {
  integer,
  float32,
  float64,
  special,
  convert,
  move,
  compare,
  branch,
  global,
  shared,
  local,
  param,
  shuffle,
  matrix,
  barrier,
  other,
  kCount
};
std::string_view name(Class c);

struct Accesses {
  std::uint64_t requests = 0;      // warp instructions
  std::uint64_t bytes = 0;         // bytes that lanes accessed
  std::uint64_t transactions = 0;  // sectors of 32 bytes (global), passes over the banks (shared)
  std::uint64_t least = 0;         // minimum number of transactions for the same bytes
  void operator+=(const Accesses& o) {
    requests += o.requests;
    bytes += o.bytes;
    transactions += o.transactions;
    least += o.least;
  }
};

struct Counters {
  std::string kernel;  // mangled
  std::uint64_t launches = 0;
  std::uint64_t blocks = 0, warps = 0, warp_instructions = 0, lane_instructions = 0;
  std::uint64_t divergent_branches = 0, barriers = 0;
  std::array<std::uint64_t, std::size_t(Class::kCount)> instructions{};
  Accesses global_load, global_store, global_atomic, shared_load, shared_store, shared_atomic, local;
  unsigned worst_bank_conflict = 0;
  std::vector<std::uint64_t> executed;  // warp instructions of a single launch, by place in the kernel
  void operator+=(const Counters& o);   // adds another launch of the same kernel
  std::string report() const;
  std::string json() const;
};
// Returns the report {"kernels": {"name": {...}, ...}} that tests/ptx/check_profile.py reads. Names come from
// short_name.
std::string json(const std::map<std::string, Counters>& kernels);

// readable_name returns "ns::kernel<float>(float*)" for a mangled name, short_name returns "kernel<float>".
std::string readable_name(const std::string& mangled);
std::string short_name(const std::string& mangled);

struct Allocation;
struct SpareBlocks;

// Device memory. Its addresses are host addresses, so host code may use memcpy.
class Memory {
 public:
  Memory();
  ~Memory();
  Memory(const Memory&) = delete;
  void* allocate(std::size_t bytes, std::string name = "");  // filled with 0xff bytes, so that floats are NaN
  template <class T>
  T* allocate(std::size_t count, std::string name = "") {
    return static_cast<T*>(allocate(count * sizeof(T), std::move(name)));
  }
  void free(void* pointer);
  void mark_written(const void* pointer, std::size_t bytes);    // by the host, for Options::uninitialized
  void mark_unwritten(const void* pointer, std::size_t bytes);  // for recycled memory
  void copy_written(const void* to, const void* from, std::size_t bytes);  // for a copy on the device
  bool is_written(const void* pointer, std::size_t bytes);                 // whether every byte is written
  // Registers memory that the caller owns.
  void adopt(void* pointer, std::size_t bytes, std::string name, bool written = true);
  // Forgets adopted memory. Later accesses are errors until the addresses are adopted again.
  void forget(void* pointer);

  Allocation* find(std::uint64_t address);      // the allocation (possibly freed) at the address, or null
  std::string describe(std::uint64_t address);  // "16 bytes past the end of 'x' [..., ...)"
  std::size_t live() const;                     // number of own allocations that are not freed
  std::uint32_t next_launch() { return ++launches_; }
  SpareBlocks& spare_blocks() { return *spare_blocks_; }

 private:
  void add(void* pointer, std::size_t bytes, std::string name, bool owned, bool written);
  void set_written(const void* pointer, std::size_t bytes, bool value);
  void drop_tombstones(std::uint64_t begin, std::uint64_t end);

  std::map<std::uint64_t, std::unique_ptr<Allocation>> allocations_;  // by begin
  std::vector<std::uint64_t> quarantine_, tombstones_;                // by begin, oldest first
  std::size_t quarantined_ = 0;                                       // bytes
  std::uint32_t launches_ = 0;
  std::unique_ptr<SpareBlocks> spare_blocks_;
};

struct Kernel;   // decoded
struct Program;  // a module's kernels and variables

struct Launch {
  const Kernel* kernel = nullptr;
  Dim3 grid, block;
  std::size_t dynamic_shared = 0;
  std::vector<std::byte> parameters;
  // A programmatic launch may start when all blocks of its predecessor executed launch_dependents or ended.
  bool programmatic = false;
};

class Module {
 public:
  static Module load(std::string text);
  std::vector<std::string> kernels() const;
  // Returns the kernel with this name, or the only kernel whose name contains it. Throws Error otherwise.
  const Kernel& kernel(std::string_view name) const;
  std::vector<std::string> unsupported(std::string_view kernel) const;  // refused instructions

  // `arguments` holds one pointer per argument, as in cudaLaunchKernel.
  Launch prepare(const Kernel& kernel, Dim3 grid, Dim3 block, std::size_t dynamic_shared,
                 const void* const* arguments) const;

  template <class... P>
  Counters launch(Memory& memory, std::string_view name, Dim3 grid, Dim3 block, std::size_t dynamic_shared,
                  const P&... parameters) const {
    const void* arguments[] = {static_cast<const void*>(&parameters)..., nullptr};
    const std::size_t sizes[] = {sizeof(P)..., 0};
    const Kernel& k = kernel(name);
    check_sizes(k, {sizes, sizeof...(P)});
    return run(memory, prepare(k, grid, block, dynamic_shared, arguments));
  }
  Counters run(Memory& memory, const Launch& launch) const;

  Options options;

 private:
  void check_sizes(const Kernel& kernel, std::span<const std::size_t> sizes) const;
  std::shared_ptr<Program> program_;
};

// Runs the launches of a stream in order. Programmatic launches overlap with their predecessor as far as CUDA
// allows: the blocks of a dependent run up to their griddepcontrol.wait before those of the predecessor
// continue after launch_dependents.
std::vector<Counters> run(Memory& memory, std::span<const Launch> launches, const Options& options);

}  // namespace ptx
