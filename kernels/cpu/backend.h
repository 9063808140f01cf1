// The CPU backend: oneDNN for matrix products, Highway kernels for everything else, and a thread pool. Work
// is complete when a call returns, and streams are null.
#pragma once

#include <string>

#include "kernels/backend.h"

namespace gpuvae::kernels {

class CpuBackend final : public Backend {
 public:
  std::string description() const override;
  bool supports(Precision precision) const override;
  std::string fused_step_unavailable() const override { return "the model is on the CPU"; }
  std::size_t relu_mask_bytes(std::int64_t, std::int64_t) const override { return 0; }
  void* allocate(std::size_t bytes) override;
  void release(void* pointer) noexcept override;
  std::size_t available_memory() const override;
  void* allocate_pinned(std::size_t bytes) override { return allocate(bytes); }
  void release_pinned(void* pointer) noexcept override { release(pointer); }
  void copy_pinned_to_device(void* to, const void* from, std::size_t bytes, StreamHandle stream) override {
    copy_to_device(to, from, bytes, stream);
  }
  void copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle) override;
  void copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle) override;
  StreamHandle create_stream() override { return nullptr; }
  void destroy_stream(StreamHandle) noexcept override {}
  void synchronize(StreamHandle) override {}
  EventHandle record_event(StreamHandle) override;
  void wait_event(StreamHandle, EventHandle) override {}
  double milliseconds_between(EventHandle, EventHandle) override;
  void synchronize_event(EventHandle) override {}
  void destroy_event(EventHandle) noexcept override;
  std::uint64_t launches() const override { return 0; }
  void begin_capture(StreamHandle) override;
  GraphHandle end_capture(StreamHandle) override;
  void discard_capture(StreamHandle) noexcept override {}
  void launch_graph(GraphHandle, StreamHandle) override;
  std::size_t graph_nodes(GraphHandle) override;
  void destroy_graph(GraphHandle) noexcept override {}

 protected:
#define GPUVAE_RUN(method, Args) void run(const Args& args, StreamHandle stream) override;
  GPUVAE_KERNELS(GPUVAE_RUN)
#undef GPUVAE_RUN
};

}  // namespace gpuvae::kernels
