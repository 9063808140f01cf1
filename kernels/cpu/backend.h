// The CPU backend: oneDNN for matrix products, Highway kernels for the rest, OpenMP threads. Work is done
// when a call returns; streams are null.
#pragma once

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
  void copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle) override;
  void copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle) override;
  void copy_on_device(void* to, const void* from, std::size_t bytes, StreamHandle) override;
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

  void gemm(const GemmArgs&, StreamHandle) override;
  void activation_backward(const ActivationBackwardArgs&, StreamHandle) override;
  void unary(const UnaryArgs&, StreamHandle) override;
  void unary_backward(const UnaryBackwardArgs&, StreamHandle) override;
  void binary(const BinaryArgs&, StreamHandle) override;
  void reduce(const ReduceArgs&, StreamHandle) override;
  void axpby(const AxpbyArgs&, StreamHandle) override;
  void fill(const FillArgs&, StreamHandle) override;
  void copy_columns(const ColumnsArgs&, StreamHandle) override;
  void transpose(const TransposeArgs&, StreamHandle) override;
  void softmax(const SoftmaxArgs&, StreamHandle) override;
  void repeat_rows(const RepeatRowsArgs&, StreamHandle) override;
  void cast(const CastArgs&, StreamHandle) override;
  void random(const RandomArgs&, StreamHandle) override;
  void posterior(const PosteriorArgs&, StreamHandle) override;
  void posterior_backward(const PosteriorBackwardArgs&, StreamHandle) override;
  void bce(const BceArgs&, StreamHandle) override;
  void gaussian_nll(const GaussianNllArgs&, StreamHandle) override;
  void log_density(const LogDensityArgs&, StreamHandle) override;
  void mixture(const MixtureArgs&, StreamHandle) override;
  void mixture_backward(const MixtureBackwardArgs&, StreamHandle) override;
  void optimizer_step(const OptimizerArgs&, StreamHandle) override;
  void clip(const ClipArgs&, StreamHandle) override;
  void gather(const GatherArgs&, StreamHandle) override;
  void accumulate_metrics(const MetricsArgs&, StreamHandle) override;
  void ramp(const RampArgs&, StreamHandle) override;
  void advance(std::uint64_t* counter, std::uint64_t by, StreamHandle) override;
  void curand(const CurandArgs&, StreamHandle) override;  // always throws
  void fused_step(const FusedStepArgs&,
                  StreamHandle) override;  // throws: its operations are fused one by one
};

}  // namespace gpuvae::kernels
