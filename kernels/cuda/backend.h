// The CUDA backend of one device. Each method is defined beside its kernel in a .cu file. Memory, streams and
// events are in runtime.cpp, graphs in graph.cpp, and matrix products in gemm.cpp.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/cuda/runtime/context.h"

namespace gpuvae::kernels {

// A stream's memory for reductions across blocks. Kernels of one stream run one after another and share it. A
// captured graph uses the memory of the stream on which it was captured, and must be launched on that stream.
struct Scratch {
  float* partials = nullptr;     // kPartials floats, aligned to at least 16 bytes
  unsigned* counters = nullptr;  // kCounters counters, all 0 between launches
};
inline constexpr std::int64_t kPartials = 1 << 18, kCounters = 1 << 12;

class CudaBackend final : public Backend {
 public:
  // `architecture` is the architecture of the kernels that run on the device; see
  // kernels/cuda/runtime/architecture.h.
  CudaBackend(const CudaDevice& device, int architecture);
  ~CudaBackend() override;
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  std::string description() const override;
  bool supports(Precision precision) const override;
  std::string fused_step_unavailable() const override;
  std::size_t relu_mask_bytes(std::int64_t m, std::int64_t n) const override;
  void* allocate(std::size_t bytes) override;
  void release(void* pointer) noexcept override;
  std::size_t available_memory() const override;
  void* allocate_pinned(std::size_t bytes) override;
  void release_pinned(void* pointer) noexcept override;
  void copy_pinned_to_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) override;
  void copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) override;
  void copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) override;
  StreamHandle create_stream() override;
  void destroy_stream(StreamHandle stream) noexcept override;
  void synchronize(StreamHandle stream) override;
  EventHandle record_event(StreamHandle stream) override;
  void wait_event(StreamHandle stream, EventHandle event) override;
  double milliseconds_between(EventHandle first, EventHandle second) override;
  void synchronize_event(EventHandle event) override;
  void destroy_event(EventHandle event) noexcept override;
  std::uint64_t launches() const override;
  void begin_capture(StreamHandle stream) override;
  GraphHandle end_capture(StreamHandle stream) override;
  void discard_capture(StreamHandle stream) noexcept override;
  void launch_graph(GraphHandle graph, StreamHandle stream) override;
  std::size_t graph_nodes(GraphHandle graph) override;
  void destroy_graph(GraphHandle graph) noexcept override;

 protected:
#define GPUVAE_RUN(method, Args) void run(const Args& args, StreamHandle stream) override;
  GPUVAE_KERNELS(GPUVAE_RUN)
#undef GPUVAE_RUN

 private:
  struct Resources;  // kernels/cuda/runtime/resources.h

  // Returns the grid size for `items` work items with `per_block` items per block. It is limited to what
  // fills the device; the kernels loop until all items are processed. It is at least `at_least`: a kernel
  // that writes a sum needs a block even if there are no items.
  std::int64_t blocks(std::int64_t items, std::int64_t per_block, std::int64_t at_least = 0) const;
  Scratch scratch(StreamHandle stream);
  // Throws Error if fused_step does not support the model or the device.
  void check_fused_step(const FusedStepArgs& args) const;

  // Computes products that cuBLASLt does not support.
  void gemm_tiled(const GemmArgs& args, StreamHandle stream);
  void add_bias_gradient(const GemmArgs& args, StreamHandle stream);
  void add_bias_and_activate(const GemmArgs& args, StreamHandle stream);  // c = activation(c + bias)

  CudaDevice device_;
  int architecture_;
  int multiprocessors_ = 1;
  int capability_ = 0;  // compute capability: 10 * major + minor
  // Owned. It is no std::unique_ptr, because <memory> costs nvcc two seconds per CUDA file.
  Resources* resources_;
};

}  // namespace gpuvae::kernels
