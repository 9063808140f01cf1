// A backend that looks on: what each call reads, writes and computes at least, and how long it takes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gpuvae/device.h"
#include "kernels/backend.h"

namespace gpuvae::bench {

// One call of a kernel, as its arguments have it: bytes that it reads and writes once each, and products and
// sums of matrix products.
struct Call {
  const char* name;  // of kernels::Backend
  double bytes, flops = 0;
};

// Passes everything on to the device's own backend, and kernels and copies on the device through `observe`.
class ObservedBackend : public kernels::Backend {
 public:
  explicit ObservedBackend(kernels::Backend& inner) : inner_(inner) {}

  std::string description() const override { return inner_.description(); }
  bool supports(Precision precision) const override { return inner_.supports(precision); }
  std::string fused_step_unavailable() const override { return inner_.fused_step_unavailable(); }
  std::size_t relu_mask_bytes(std::int64_t m, std::int64_t n) const override {
    return inner_.relu_mask_bytes(m, n);
  }
  void* allocate(std::size_t bytes) override { return inner_.allocate(bytes); }
  void release(void* pointer) noexcept override { inner_.release(pointer); }
  void copy_to_device(void* to, const void* from, std::size_t bytes, kernels::StreamHandle s) override {
    inner_.copy_to_device(to, from, bytes, s);
  }
  void copy_from_device(void* to, const void* from, std::size_t bytes, kernels::StreamHandle s) override {
    inner_.copy_from_device(to, from, bytes, s);
  }
  void copy_on_device(void* to, const void* from, std::size_t bytes, kernels::StreamHandle s) override;
  kernels::StreamHandle create_stream() override { return inner_.create_stream(); }
  void destroy_stream(kernels::StreamHandle s) noexcept override { inner_.destroy_stream(s); }
  void synchronize(kernels::StreamHandle s) override { inner_.synchronize(s); }
  kernels::EventHandle record_event(kernels::StreamHandle s) override { return inner_.record_event(s); }
  void wait_event(kernels::StreamHandle s, kernels::EventHandle e) override { inner_.wait_event(s, e); }
  double milliseconds_between(kernels::EventHandle a, kernels::EventHandle b) override {
    return inner_.milliseconds_between(a, b);
  }
  void synchronize_event(kernels::EventHandle e) override { inner_.synchronize_event(e); }
  void destroy_event(kernels::EventHandle e) noexcept override { inner_.destroy_event(e); }
  std::uint64_t launches() const override { return inner_.launches(); }
  void begin_capture(kernels::StreamHandle s) override { inner_.begin_capture(s); }
  kernels::GraphHandle end_capture(kernels::StreamHandle s) override { return inner_.end_capture(s); }
  void discard_capture(kernels::StreamHandle s) noexcept override { inner_.discard_capture(s); }
  void launch_graph(kernels::GraphHandle g, kernels::StreamHandle s) override { inner_.launch_graph(g, s); }
  std::size_t graph_nodes(kernels::GraphHandle g) override { return inner_.graph_nodes(g); }
  void destroy_graph(kernels::GraphHandle g) noexcept override { inner_.destroy_graph(g); }

  void gemm(const kernels::GemmArgs&, kernels::StreamHandle) override;
  void activation_backward(const kernels::ActivationBackwardArgs&, kernels::StreamHandle) override;
  void unary(const kernels::UnaryArgs&, kernels::StreamHandle) override;
  void unary_backward(const kernels::UnaryBackwardArgs&, kernels::StreamHandle) override;
  void binary(const kernels::BinaryArgs&, kernels::StreamHandle) override;
  void reduce(const kernels::ReduceArgs&, kernels::StreamHandle) override;
  void axpby(const kernels::AxpbyArgs&, kernels::StreamHandle) override;
  void fill(const kernels::FillArgs&, kernels::StreamHandle) override;
  void copy_columns(const kernels::ColumnsArgs&, kernels::StreamHandle) override;
  void transpose(const kernels::TransposeArgs&, kernels::StreamHandle) override;
  void softmax(const kernels::SoftmaxArgs&, kernels::StreamHandle) override;
  void repeat_rows(const kernels::RepeatRowsArgs&, kernels::StreamHandle) override;
  void cast(const kernels::CastArgs&, kernels::StreamHandle) override;
  void random(const kernels::RandomArgs&, kernels::StreamHandle) override;
  void posterior(const kernels::PosteriorArgs&, kernels::StreamHandle) override;
  void posterior_backward(const kernels::PosteriorBackwardArgs&, kernels::StreamHandle) override;
  void bce(const kernels::BceArgs&, kernels::StreamHandle) override;
  void gaussian_nll(const kernels::GaussianNllArgs&, kernels::StreamHandle) override;
  void log_density(const kernels::LogDensityArgs&, kernels::StreamHandle) override;
  void mixture(const kernels::MixtureArgs&, kernels::StreamHandle) override;
  void mixture_backward(const kernels::MixtureBackwardArgs&, kernels::StreamHandle) override;
  void optimizer_step(const kernels::OptimizerArgs&, kernels::StreamHandle) override;
  void clip(const kernels::ClipArgs&, kernels::StreamHandle) override;
  void gather(const kernels::GatherArgs&, kernels::StreamHandle) override;
  void accumulate_metrics(const kernels::MetricsArgs&, kernels::StreamHandle) override;
  void ramp(const kernels::RampArgs&, kernels::StreamHandle) override;
  void advance(std::uint64_t* counter, std::uint64_t by, kernels::StreamHandle) override;
  void curand(const kernels::CurandArgs&, kernels::StreamHandle) override;
  void fused_step(const kernels::FusedStepArgs&, kernels::StreamHandle) override;

 protected:
  kernels::Backend& inner() { return inner_; }
  // `run` makes the call; it is to be run once.
  virtual void observe(const Call& call, kernels::StreamHandle stream, const std::function<void()>& run) = 0;

 private:
  kernels::Backend& inner_;
};

// Adds up what the calls move.
class CountingBackend final : public ObservedBackend {
 public:
  using ObservedBackend::ObservedBackend;
  double bytes = 0;
  int calls = 0;

 private:
  void observe(const Call& call, kernels::StreamHandle, const std::function<void()>& run) override {
    bytes += call.bytes, ++calls;
    run();
  }
};

// Adds up each kind's seconds: of the device's clock by events on CUDA, of the wall clock on the CPU. Events
// go around every call, so that nothing overlaps.
class TimingBackend final : public ObservedBackend {
 public:
  TimingBackend(kernels::Backend& inner, bool on_cpu) : ObservedBackend(inner), on_cpu_(on_cpu) {}
  ~TimingBackend() override;

  struct Share {
    int calls = 0;
    double seconds = 0, bytes = 0, flops = 0;
  };
  // By name of the call; waits for the device.
  std::map<std::string, Share> shares();

 private:
  void observe(const Call& call, kernels::StreamHandle stream, const std::function<void()>& run) override;

  struct Pending {
    const char* name;
    kernels::EventHandle begin, end;
  };
  bool on_cpu_;
  std::map<std::string, Share> shares_;
  std::vector<Pending> pending_;
};

}  // namespace gpuvae::bench
