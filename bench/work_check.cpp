#include "bench/work_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "bench/observers.h"
#include "bench/stopwatch.h"
#include "gpuvae/error.h"

namespace gpuvae::bench {
namespace {

constexpr std::int64_t kSampled = 1024;
const double kUnwritten = std::ldexp(-1.375, 100);  // a value that no workload produces, exact in f32

[[noreturn]] void fail(const std::string& reason) { throw Error("check_work", reason); }

std::vector<double> samples_of(const Tensor& t) {
  const std::int64_t n = t.elements();
  if (n <= 3 * kSampled) return t.to_doubles();
  const Tensor flat = t.reshape({n});
  std::vector<double> all;
  for (const std::int64_t first : {std::int64_t{0}, n / 2, n - kSampled}) {
    const std::vector<double> part = flat.slice(first, kSampled).to_doubles();
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

OutputSamples samples_of(const std::vector<Tensor>& outputs) {
  OutputSamples all;
  for (const Tensor& t : outputs) all.push_back(samples_of(t));
  return all;
}

// Some gradients are constant, such as that of the bias in a sum of outputs, and do not depend on the inputs.
bool is_constant(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

// Compares bits, so that NaN equals NaN.
bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

class WorkCheck {
 public:
  WorkCheck(const Work& work, Device device) : work_(work), device_(device) {
    for (const Tensor& input : work.inputs) originals_.push_back(input.clone());
  }
  ~WorkCheck() {
    try {
      restore();
    } catch (const Error&) {  // the error that ends the check is the one to report
    }
  }
  WorkCheck(const WorkCheck&) = delete;
  WorkCheck& operator=(const WorkCheck&) = delete;

  OutputSamples run() {
    run_and_overwrite();
    OutputSamples first = run_once();
    change_inputs();
    const OutputSamples changed = run_once();
    restore();
    const OutputSamples repeated = run_once();
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (same(first[i], changed[i]) && (first.size() == 1 || !is_constant(first[i])))
        fail(fmt::format(
            "expected output {} to change with the inputs, got equal results: a result is reused", i));
      if (work_.repeatable && !same(first[i], repeated[i]))
        fail(fmt::format("expected equal results for equal inputs, got different values of output {}", i));
    }
    compare_times();
    return first;
  }

 private:
  bool is_input(const Tensor& t) const {
    return std::any_of(work_.inputs.begin(), work_.inputs.end(),
                       [&](const Tensor& input) { return input.shares_storage_with(t); });
  }

  // Writes a value that no run writes to outputs, so that the next run must write them. New outputs usually
  // lie in the memory of those that were just released. Outputs in an input's memory keep their values.
  void overwrite(std::vector<Tensor> outputs) const {
    for (const Tensor& t : outputs)
      if (!is_input(t)) t.fill(t.dtype() == DType::f32 ? kUnwritten : 0);
  }
  void run_and_overwrite() const {
    std::vector<Tensor> outputs;
    work_.run(&outputs);
    if (outputs.empty()) fail("expected at least one output, got none");
    overwrite(std::move(outputs));
  }

  OutputSamples run_once() {
    undo_updates();
    std::vector<Tensor> outputs;
    StreamObserver streams(Stream::current(device_).handle());
    {
      const ObserverScope observed(device_.backend(), streams);
      work_.run(&outputs);
    }
    if (streams.elsewhere() > 0)
      fail(fmt::format(
          "expected all kernels on the current stream, got {} on another stream, whose time is not "
          "measured",
          streams.elsewhere()));
    OutputSamples results = samples_of(outputs);
    check_written(results);
    const std::chrono::milliseconds pause(3);
    std::this_thread::sleep_for(pause);
    const OutputSamples later = samples_of(outputs);
    for (std::size_t i = 0; i < results.size(); ++i)
      if (!same(results[i], later[i]))
        fail(fmt::format(
            "expected the work to end with the run, got changes of output {} afterwards: it continues "
            "on another thread or stream",
            i));
    overwrite(std::move(outputs));
    return results;
  }

  static void check_written(const OutputSamples& results) {
    for (std::size_t i = 0; i < results.size(); ++i)
      if (std::count(results[i].begin(), results[i].end(), kUnwritten) > 0)
        fail(fmt::format(
            "expected each run to write output {}, got elements that it did not write: the output is "
            "never written, or not before the run ends, or an earlier result is reused",
            i));
  }

  // Gives the inputs other values that are valid where the original ones are: f32 values get closer to zero,
  // and bytes are inverted.
  void change_inputs() {
    for (const Tensor& input : work_.inputs) {
      if (input.dtype() == DType::f32) {
        const kernels::AxpbyArgs scale{
            .size = input.elements(), .alpha = 0.75, .x = input.data(), .y = input.data()};
        device_.backend().axpby(scale, Stream::current(device_).handle());
        input.increment_version();
      } else if (input.dtype() == DType::u8) {
        std::vector<std::uint8_t> bytes;
        for (const double value : input.to_doubles()) bytes.push_back(static_cast<std::uint8_t>(255 - value));
        input.copy_from(Tensor::from(bytes, input.shape()));
      }
    }
    is_changed_ = true;
  }
  void restore() {
    for (std::size_t i = 0; i < originals_.size(); ++i) work_.inputs[i].copy_from(originals_[i]);
    is_changed_ = false;
  }
  // Undoes what a run has done to outputs in the memory of inputs.
  void undo_updates() {
    const bool changed = is_changed_;
    restore();
    if (changed) change_inputs();
  }

  // A result that is kept until an input changes makes repeated runs faster than the first one. Small
  // differences have other reasons, such as the state of the caches.
  void compare_times() {
    constexpr double kMostRatio = 5, kMargin = 100e-6, kEnough = 0.3;
    constexpr int kMostSamples = 5;
    double fresh = INFINITY, repeated = INFINITY, spent = 0;
    for (int i = 0; i < kMostSamples && spent < kEnough; ++i) {
      restore();
      const double first = wall_seconds(device_, [&] { work_.run(nullptr); });
      const double second = wall_seconds(device_, [&] { work_.run(nullptr); });
      fresh = std::min(fresh, first);
      repeated = std::min(repeated, second);
      spent += first + second;
    }
    if (fresh > kMostRatio * repeated + kMargin)
      fail(fmt::format(
          "expected repeated runs to take as long as a run after a change of the inputs, got {:.1f} us "
          "against {:.1f} us: repeated runs reuse a result",
          repeated * 1e6, fresh * 1e6));
  }

  const Work& work_;
  Device device_;
  std::vector<Tensor> originals_;
  bool is_changed_ = false;
};

}  // namespace

OutputSamples check_work(const Work& work, Device device) { return WorkCheck(work, device).run(); }

void check_agreement(const OutputSamples& a, const OutputSamples& b, double tolerance) {
  if (a.size() != b.size())
    throw Error("check_agreement",
                fmt::format("expected equally many outputs, got {} and {}", a.size(), b.size()));
  for (std::size_t t = 0; t < a.size(); ++t) {
    double largest = 1e-30, difference = 0;
    for (std::size_t i = 0; i < std::min(a[t].size(), b[t].size()); ++i) {
      largest = std::max(largest, std::fabs(a[t][i]));
      const double d = std::fabs(a[t][i] - b[t][i]);
      difference = d >= difference || std::isnan(d) ? (std::isnan(d) ? INFINITY : d) : difference;
    }
    if (a[t].size() != b[t].size() || !(difference <= tolerance * largest))
      throw Error("check_agreement",
                  fmt::format("expected the implementations to agree within {:.0e}, got a difference of "
                              "{:.1e} in output {}, relative to its largest element",
                              tolerance, difference / largest, t));
  }
}

}  // namespace gpuvae::bench
