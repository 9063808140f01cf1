// Runs one experiment on a GPU per call and prints one JSON object to stdout. bench/gpu_check runs the
// experiments and judges their results. If the device or the build does not support an experiment, the
// program prints {"unsupported": reason}.
#include "bench/gpu_probe.h"

#include <cuda_runtime_api.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <numeric>

#include "apps/program/program.h"
#include "bench/stopwatch.h"
#include "kernels/backend.h"

namespace gpuvae::bench {
namespace {

nlohmann::json describe(Device device) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  cudaDeviceProp properties{};
  cudaGetDeviceProperties(&properties, device.index());
  return {{"device", device.text()},
          {"description", device.description()},
          {"capability", 10 * properties.major + properties.minor},
          {"multiprocessors", properties.multiProcessorCount},
          {"l2_bytes", properties.l2CacheSize},
          {"cuda_driver", driver},
          {"cuda_runtime", runtime},
          {"compiler", GPUVAE_COMPILER}};
}

struct CeilingsOptions {
  std::int64_t elements = std::int64_t{1} << 28, products = 4096;
};

nlohmann::json ceilings(Device device, const CeilingsOptions& o) {
  const Ceilings c = measure_ceilings(device, o.elements, o.products);
  return {{"copy_bytes_per_second", c.copy_bytes},
          {"matmul_flops_per_second", c.matmul_flops},
          {"elements", o.elements},
          {"products", o.products}};
}

}  // namespace

nlohmann::json round_trip(Device device) {
  constexpr std::int64_t kSize = (1 << 20) + 3;
  std::vector<float> values(kSize);
  std::iota(values.begin(), values.end(), 1.0f);
  const Tensor x = Tensor::from(values, {kSize}, device), y = Tensor::zeros({kSize}, DType::f32, device);
  kernels::AxpbyArgs args{.size = kSize, .alpha = 2, .x = x.data(), .y = y.data()};
  device.backend().axpby(args, Stream::current(device).handle());
  const std::vector<double> got = y.to_doubles();
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < kSize; ++i)
    wrong += !(got[static_cast<std::size_t>(i)] == 2.0 * static_cast<double>(i + 1));
  return {{"elements", kSize}, {"wrong", wrong}};
}

namespace {

// The command line: one subcommand per experiment.
class Probe {
 public:
  Probe() : app_("Experiments on a GPU; each prints one JSON object.", "gpu_probe") {
    app_.require_subcommand(1);
    app_.add_option("--device", device_, "cuda or cuda:N")->capture_default_str();
    add("device", "print the device, the driver and the build without running a kernel",
        [](Device d) { return describe(d); });
    add("round-trip", "copy data to the device, run kernels, and copy the result back",
        [](Device d) { return round_trip(d); });
    add_fused_steps();
    add_products();
    add_times();
  }

  int run(int argc, char** argv) {
    CLI11_PARSE(app_, argc, argv);
    return apps::run_guarded("gpu_probe", [&] {
      const Device device = Device::parse(device_);
      check_is_gpu(device);
      std::printf("%s\n", experiment_(device).dump().c_str());
    });
  }

 private:
  using Experiment = std::function<nlohmann::json(Device)>;

  static void check_is_gpu(Device device) {
    if (device.is_cpu()) throw Error("gpu_probe", "expected a CUDA device, got the CPU");
  }

  CLI::App* add(const char* name, const char* purpose, Experiment experiment) {
    CLI::App* command = app_.add_subcommand(name, purpose);
    command->callback([this, experiment = std::move(experiment)] { experiment_ = experiment; });
    return command;
  }

  void add_fused_steps() {
    CLI::App* c = add("fused-steps", "train with the fused step alone and print hashes of the weights",
                      [this](Device d) { return fused_steps(d, fused_); });
    c->add_option("--preset", fused_.preset, "preset whose model and optimiser are used, or small")
        ->capture_default_str();
    c->add_option("--steps", fused_.steps, "training steps")->capture_default_str();
    c->add_flag("--graph", fused_.graph, "launch captured graphs of 100 steps instead of single steps");
    c->add_flag("--legacy-stream", fused_.legacy_stream, "use stream 0 instead of a separate stream");
  }

  void add_products() {
    CLI::App* c = add("cublaslt", "record what cuBLASLt answers for each epilogue",
                      [this](Device d) { return cublaslt_answers(d, cublaslt_); });
    c->add_option("--rows", cublaslt_.rows, "number of rows of a batch")->capture_default_str();
    c->add_option("--depth", cublaslt_.depth, "number of terms of each sum")->capture_default_str();
    c->add_option("--widths", cublaslt_.widths, "widths of the layer, separated by commas")->delimiter(',');
    c = add("product-error", "error of the fused step's products against f64",
            [this](Device d) { return product_error(d, product_); });
    c->add_option("--depth", product_.depth, "number of terms of each sum")->capture_default_str();
    c->add_option("--seeds", product_.seeds, "number of random draws of the factors")->capture_default_str();
  }

  void add_times() {
    CLI::App* c = add("step-times", "microseconds per training step of each executor",
                      [this](Device d) { return step_times(d, times_); });
    c->add_option("--presets", times_.presets, "presets to time, separated by commas; small is a tiny model")
        ->delimiter(',');
    c->add_option("--steps", times_.steps, "steps per timed launch or sequence")->capture_default_str();
    c->add_option("--launches", times_.launches, "number of timed launches, whose median is printed")
        ->capture_default_str();
    c = add("ceilings", "rates of a large copy and of a large f32 product",
            [this](Device d) { return ceilings(d, ceilings_); });
    c->add_option("--elements", ceilings_.elements, "number of floats to copy")->capture_default_str();
    c->add_option("--products", ceilings_.products, "side length of the square matrices")
        ->capture_default_str();
  }

  CLI::App app_;
  std::string device_ = "cuda";
  Experiment experiment_;
  FusedStepsOptions fused_;
  CublasltOptions cublaslt_;
  ProductErrorOptions product_;
  StepTimesOptions times_;
  CeilingsOptions ceilings_;
};

}  // namespace
}  // namespace gpuvae::bench

int main(int argc, char** argv) { return gpuvae::bench::Probe().run(argc, argv); }
