#include "bench/observed_backend.h"

#include <chrono>

#include "kernels/math/optimizer.h"

namespace gpuvae::bench {
namespace {

using namespace kernels;

double times(std::int64_t a, std::int64_t b) { return static_cast<double>(a) * static_cast<double>(b); }
double if_there(const void* pointer, double elements) { return pointer ? elements : 0; }

double elements(Broadcast broadcast, const BinaryArgs& a) {
  switch (broadcast) {
    case Broadcast::row:
      return static_cast<double>(a.columns);
    case Broadcast::column:
      return static_cast<double>(a.rows);
    case Broadcast::scalar:
      return 1;
    case Broadcast::none:
      break;
  }
  return times(a.rows, a.columns);
}

double reduced(const ReduceArgs& a) {
  return a.axis == Axis::all ? 1 : static_cast<double>(a.axis == Axis::rows ? a.columns : a.rows);
}

// The inputs of a mixture and its workspace.
double mixture_elements(const MixtureArgs& a) {
  return times(a.rows, a.latent) + times(a.components, 2 * a.latent) +
         if_there(a.log_weights, static_cast<double>(a.components)) +
         times(2 * a.latent + 1, mixture_stride(a.components));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void ObservedBackend::copy_on_device(void* to, const void* from, std::size_t bytes, StreamHandle s) {
  observe({"copy", 2.0 * static_cast<double>(bytes)}, s, [&] { inner_.copy_on_device(to, from, bytes, s); });
}

// name: of the method. elements: read and written.
#define GPUVAE_OBSERVED(method, Args, elements)                              \
  void ObservedBackend::method(const Args& a, StreamHandle s) {              \
    const double moved = static_cast<double>(size_of(a.dtype)) * (elements); \
    observe({#method, moved}, s, [&] { inner_.method(a, s); });              \
  }
GPUVAE_OBSERVED(activation_backward, ActivationBackwardArgs,
                times(a.rows, a.columns) *
                        (1 + if_there(a.activation == Activation::identity ? nullptr : a.saved, 1) +
                         if_there(a.d_input, 1)) +
                    if_there(a.d_bias, static_cast<double>(a.columns)))
GPUVAE_OBSERVED(unary, UnaryArgs, 2.0 * static_cast<double>(a.size))
GPUVAE_OBSERVED(unary_backward, UnaryBackwardArgs, 3.0 * static_cast<double>(a.size))
GPUVAE_OBSERVED(binary, BinaryArgs,
                elements(a.broadcast_a, a) + elements(a.broadcast_b, a) + times(a.rows, a.columns))
GPUVAE_OBSERVED(reduce, ReduceArgs, times(a.rows, a.columns) + reduced(a) * (a.accumulate ? 2 : 1))
GPUVAE_OBSERVED(axpby, AxpbyArgs, static_cast<double>(a.size) * (a.beta == 0 ? 2 : 3))
GPUVAE_OBSERVED(fill, FillArgs, static_cast<double>(a.size))
GPUVAE_OBSERVED(copy_columns, ColumnsArgs, times(a.rows, a.columns) * (a.accumulate ? 3 : 2))
GPUVAE_OBSERVED(transpose, TransposeArgs, 2 * times(a.rows, a.columns))
GPUVAE_OBSERVED(softmax, SoftmaxArgs,
                times(a.rows, a.columns) * (1 + if_there(a.softmax, 1)) +
                    if_there(a.log_sum_exp, static_cast<double>(a.rows)))
GPUVAE_OBSERVED(repeat_rows, RepeatRowsArgs, times(a.rows, a.columns) * static_cast<double>(1 + a.times))
GPUVAE_OBSERVED(random, RandomArgs, times(a.rows, a.columns))
GPUVAE_OBSERVED(posterior, PosteriorArgs,
                times(a.rows, a.latent) * (2 + if_there(a.epsilon, 1) + if_there(a.z, 1)) + if_there(a.kl, 1))
GPUVAE_OBSERVED(bce, BceArgs, static_cast<double>(a.size) * (2 + if_there(a.d_x, 1)) + 1)
GPUVAE_OBSERVED(gaussian_nll, GaussianNllArgs, times(a.rows, a.columns) * (3 + if_there(a.d_params, 2)) + 1)
GPUVAE_OBSERVED(log_density, LogDensityArgs,
                times(a.rows, a.columns) *
                        ((a.density == Density::gaussian ? 2 : 1) + 1 / static_cast<double>(a.repeats)) +
                    static_cast<double>(a.rows))
GPUVAE_OBSERVED(mixture, MixtureArgs, mixture_elements(a) + static_cast<double>(a.rows))
GPUVAE_OBSERVED(optimizer_step, OptimizerArgs,
                static_cast<double>(a.size) * (3 + 2 * math::optimizer_states(a.kind)))
GPUVAE_OBSERVED(clip, ClipArgs, static_cast<double>(a.size) + 2)
GPUVAE_OBSERVED(accumulate_metrics, MetricsArgs, static_cast<double>(a.count) * 5)
#undef GPUVAE_OBSERVED

void ObservedBackend::gemm(const GemmArgs& a, StreamHandle s) {
  const double moved = times(a.m, a.k) + times(a.k, a.n) + times(a.m, a.n) * (a.accumulate ? 2 : 1) +
                       if_there(a.bias, static_cast<double>(a.n));
  observe(
      {"gemm", static_cast<double>(size_of(a.dtype)) * moved, 2 * times(a.m, a.n) * static_cast<double>(a.k)},
      s, [&] { inner_.gemm(a, s); });
}

void ObservedBackend::cast(const CastArgs& a, StreamHandle s) {
  observe({"cast", static_cast<double>(a.size) * static_cast<double>(size_of(a.from) + size_of(a.to))}, s,
          [&] { inner_.cast(a, s); });
}

void ObservedBackend::gather(const GatherArgs& a, StreamHandle s) {
  const double each = static_cast<double>(size_of(a.source) + size_of(a.dtype));
  observe({"gather", times(a.rows, a.columns) * each}, s, [&] { inner_.gather(a, s); });
}

void ObservedBackend::posterior_backward(const PosteriorBackwardArgs& a, StreamHandle s) {
  const PosteriorArgs& f = a.forward;
  const double moved = times(f.rows, f.latent) * (4 + if_there(f.epsilon, 1) + if_there(a.d_z, 1));
  observe({"posterior_backward", static_cast<double>(size_of(f.dtype)) * moved}, s,
          [&] { inner_.posterior_backward(a, s); });
}

void ObservedBackend::mixture_backward(const MixtureBackwardArgs& a, StreamHandle s) {
  const MixtureArgs& f = a.forward;
  const double moved = mixture_elements(f) + 2.0 * static_cast<double>(f.rows) +
                       if_there(a.d_z, times(f.rows, f.latent)) +
                       if_there(a.d_component_params, times(f.components, 2 * f.latent)) +
                       if_there(a.d_log_weights, static_cast<double>(f.components));
  observe({"mixture_backward", static_cast<double>(size_of(f.dtype)) * moved}, s,
          [&] { inner_.mixture_backward(a, s); });
}

void ObservedBackend::ramp(const RampArgs& a, StreamHandle s) {
  observe({"ramp", 8 + 4}, s, [&] { inner_.ramp(a, s); });
}

void ObservedBackend::advance(std::uint64_t* counter, std::uint64_t by, StreamHandle s) {
  observe({"advance", 2 * sizeof *counter}, s, [&] { inner_.advance(counter, by, s); });
}

void ObservedBackend::curand(const CurandArgs& a, StreamHandle s) {
  observe({"curand", 4.0 * static_cast<double>(a.count)}, s, [&] { inner_.curand(a, s); });
}

// The batch, the losses' two sums, and a reading and writing of parameters and states.
void ObservedBackend::fused_step(const FusedStepArgs& a, StreamHandle s) {
  const double batch = times(a.gather.rows, a.gather.columns) * static_cast<double>(size_of(a.gather.source));
  const double update =
      4.0 * static_cast<double>(a.optimizer.size) * (2 + 2 * math::optimizer_states(a.optimizer.kind));
  observe({"fused_step", batch + update}, s, [&] { inner_.fused_step(a, s); });
}

TimingBackend::~TimingBackend() {
  for (const Pending& p : pending_) inner().destroy_event(p.begin), inner().destroy_event(p.end);
}

void TimingBackend::observe(const Call& call, StreamHandle stream, const std::function<void()>& run) {
  Share& share = shares_[call.name];
  ++share.calls, share.bytes += call.bytes, share.flops += call.flops;
  if (on_cpu_) {
    const auto start = std::chrono::steady_clock::now();
    run();
    share.seconds += seconds_since(start);
    return;
  }
  const EventHandle begin = inner().record_event(stream);
  run();
  pending_.push_back({call.name, begin, inner().record_event(stream)});
}

std::map<std::string, TimingBackend::Share> TimingBackend::shares() {
  for (const Pending& p : pending_) {
    shares_[p.name].seconds += inner().milliseconds_between(p.begin, p.end) * 1e-3;
    inner().destroy_event(p.begin), inner().destroy_event(p.end);
  }
  pending_.clear();
  return shares_;
}

}  // namespace gpuvae::bench
