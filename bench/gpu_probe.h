// The experiments of gpu_probe: each answers one question about a GPU in a separate process.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gpuvae/device.h"

namespace gpuvae::bench {

// Copies data to the device, runs two kernels and copies the result back: shows whether this build's kernels
// run at all.
nlohmann::json round_trip(Device device);

struct FusedStepsOptions {
  std::string preset = "keras-mnist";  // or "small": 40-24-3-24-40 at batch 10
  std::uint64_t steps = 10000;
  bool graph = false;          // launch captured graphs of 100 steps instead of single steps
  bool legacy_stream = false;  // use stream 0 instead of a separate stream
};
// Trains with the fused step alone (no other kernel and no cuBLASLt) and hashes weights, optimiser state and
// loss sums after 1, 10, 100, ... steps. Equal hashes mean equal bits.
nlohmann::json fused_steps(Device device, const FusedStepsOptions& options);

struct StepTimesOptions {
  std::vector<std::string> presets = {"keras-mnist", "flex-mnist", "flex-frey"};
  int steps = 100, launches = 20;
};
// Measures microseconds per training step of each executor with events: one graph of `steps` steps, or
// `steps` steps queued on the stream one by one.
nlohmann::json step_times(Device device, const StepTimesOptions& options);

struct CublasltOptions {
  std::int64_t rows = 100, depth = 784;
  std::vector<std::int64_t> widths = {2, 4, 256};
};
// Reports how cuBLASLt handles each epilogue that the library uses, at each width and precision.
nlohmann::json cublaslt_answers(Device device, const CublasltOptions& options);

struct ProductErrorOptions {
  int depth = 784, seeds = 8;
};
// Measures the error of the fused step's products against f64, relative to the product of the factors' norms.
// Also reports the mean error with the sign of the result, which is negative if sums are truncated towards 0.
nlohmann::json product_error(Device device, const ProductErrorOptions& options);

}  // namespace gpuvae::bench
