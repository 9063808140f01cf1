// A launch: the checks CUDA makes, then its blocks, one after another or, in a cooperative launch, all alive.
#include <dlfcn.h>
#include <link.h>

#include <numeric>
#include <span>

#include "block.h"

extern "C" void* __tls_get_addr(void*);

namespace simt {
namespace detail {
namespace {

// Runs blocks that live at the same time: one, or a whole cooperative grid.
void run_together(std::vector<Block>& blocks) {
  constexpr int kSpinsBeforeLivelock = 10000;
  for (int idle = 0;;) {
    std::size_t finished = 0, parked = 0;
    for (Block& b : blocks) {
      if (!b.finished() && !b.parked()) {
        std::copy(b.statics.begin(), b.statics.end(), running.statics);
        b.run();
        std::copy_n(running.statics, running.static_bytes, b.statics.begin());
      }
      finished += b.finished();
      parked += b.parked();
    }
    if (finished == blocks.size()) return;
    if (parked == blocks.size()) {
      ++running.grid_clock;
      idle = 0;
      for (Block& b : blocks) {
        b.at_grid = 0;
        for (Thread& t : b.threads) b.wake(t);
      }
    } else if (finished + parked == blocks.size()) {
      throw Error("simt: deadlock: " + std::to_string(parked) + " blocks wait in a grid sync, " +
                  std::to_string(finished) + " have exited");
    } else if (++idle > kSpinsBeforeLivelock) {
      throw Error("simt: livelock: threads spin forever");
    }
  }
}

// A block runs on one OS thread, so a thread-local variable is shared by its threads: the __shared__
// variables of a kernel are the thread-local block of the module that holds the kernel.
void find_static_shared(const void* kernel) {
  running.statics = nullptr;
  running.static_bytes = 0;
  const auto look = [](dl_phdr_info* module, std::size_t, void* kernel) {
    const ElfW(Phdr)* tls = nullptr;
    bool ours = false;
    for (const ElfW(Phdr) & h : std::span(module->dlpi_phdr, module->dlpi_phnum)) {
      if (h.p_type == PT_TLS) tls = &h;
      if (h.p_type == PT_LOAD)
        ours |= reinterpret_cast<ElfW(Addr)>(kernel) - module->dlpi_addr - h.p_vaddr < h.p_memsz;
    }
    if (ours && tls) {
      struct {
        unsigned long module, offset;
      } first_byte{module->dlpi_tls_modid, 0};
      running.statics =
          static_cast<char*>(__tls_get_addr(&first_byte));  // makes the block if there is none yet
      running.static_bytes = tls->p_memsz;
    }
    return int(ours);
  };
  dl_iterate_phdr(look, const_cast<void*>(kernel));
}

std::vector<unsigned> block_order(std::size_t blocks) {
  std::vector<unsigned> order(blocks);
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = blocks; lazy() && i > 1; --i) std::swap(order[i - 1], order[random_below(i)]);
  return order;
}

void run_blocks(std::vector<Block>& live, std::size_t blocks) {
  for (const unsigned rank : block_order(blocks)) {
    if (!running.cooperative) live.clear();
    live.emplace_back(rank);
    if (live.size() == live.capacity()) run_together(live);
  }
}

struct Shape {
  dim3 grid, block;
  std::size_t dynamic_bytes;
  bool cooperative;
  std::size_t blocks() const { return std::size_t(grid.x) * grid.y * grid.z; }
  std::size_t threads() const { return std::size_t(block.x) * block.y * block.z; }
};

void run_now(const Launch& launch, const Shape& shape) {
  const DeviceAccess access;
  gridDim = shape.grid;
  blockDim = shape.block;
  running.launch = &launch;
  running.cooperative = shape.cooperative;
  running.dynamic_bytes = shape.dynamic_bytes;
  running.failure.clear();
  ++running.grid_clock;
  ++counters().kernels_run;
  find_static_shared(launch.kernel);
  const std::vector<char> hosts(running.statics, running.statics + running.static_bytes);
  std::vector<Block> live;
  live.reserve(shape.cooperative ? shape.blocks() : 1);
  try {
    run_blocks(live, shape.blocks());
    check_guards();
  } catch (const Error&) {
    for (Block& b : live) b.abandon();
    std::copy(hosts.begin(), hosts.end(), running.statics);
    throw;
  }
  std::copy(hosts.begin(), hosts.end(), running.statics);
}

cudaError_t refusal(const Launch& launch, const Shape& s) {
  const bool fits = s.threads() > 0 && s.threads() <= kMaxThreadsPerBlock && s.block.z <= 64 &&
                    s.blocks() > 0 && s.grid.x <= 0x7fffffffu && s.grid.y <= kMaxGridYZ &&
                    s.grid.z <= kMaxGridYZ;
  if (!fits) return cudaErrorInvalidConfiguration;
  if (s.dynamic_bytes > dynamic_shared_limit(launch.kernel)) return cudaErrorInvalidValue;
  const int resident = multiprocessors() * blocks_per_multiprocessor(int(s.threads()));
  if (s.cooperative && s.blocks() > std::size_t(resident)) return cudaErrorCooperativeLaunchTooLarge;
  return cudaSuccess;
}

bool asks_for_cooperation(const cudaLaunchConfig_t& config) {
  bool cooperative = false;
  for (const cudaLaunchAttribute& a : std::span(config.attrs, config.numAttrs)) {
    if (a.id == cudaLaunchAttributeCooperative) cooperative = a.val.cooperative;
    if (a.id == cudaLaunchAttributeClusterDimension) fail("thread block clusters are not emulated");
  }
  return cooperative;
}

}  // namespace
}  // namespace detail

cudaError_t launch(const cudaLaunchConfig_t& config, Launch what) {
  return detail::entry_point([&]() -> cudaError_t {
    const detail::Shape shape{config.gridDim, config.blockDim, config.dynamicSmemBytes,
                              detail::asks_for_cooperation(config)};
    const cudaError_t refused = detail::refusal(what, shape);
    if (refused != cudaSuccess) return refused;
    if (!detail::is_capturing(config.stream)) ++detail::counters().kernel_launches;
    return detail::enqueue(config.stream, cudaGraphNodeTypeKernel, [=] { detail::run_now(what, shape); });
  });
}

}  // namespace simt
