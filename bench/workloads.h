// The workloads of gpuvae_bench: every fused operation beside its unfused implementation, forward and
// backward, at the sizes of the presets and at large sizes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/stopwatch.h"
#include "bench/work_check.h"

namespace gpuvae::bench {

// An operation with its data on one device, ready to run.
struct Contest {
  // The two implementations. They have the same inputs and the same outputs in the same order. `run` of
  // `unfused` is empty if there is no unfused implementation.
  Work fused;
  Work unfused = {};
  bool unfused_uses_curand = false;
  // Returns the largest error of the fused results against f64, relative to the largest element; none if
  // computing in f64 would take too long.
  std::function<std::optional<double>()> error = {};
};

struct Workload {
  // "bce_with_logits", "100x784", and "forward", "training" (forward and backward) or "update".
  std::string operation, size, pass;
  bool large = false;           // larger than the sizes of the presets
  double elements = 0;          // number of elements of the largest tensor
  double bytes = 0, flops = 0;  // minimum number of bytes moved; number of floating-point operations
  std::function<Contest(Device)> prepare = {};

  std::string name() const { return operation + "/" + size + "/" + pass; }
};

// All workloads whose largest tensor has at most `most_elements` elements.
std::vector<Workload> all_workloads(double most_elements);

// The workloads by file: operations with cases in tests/cases, optimisers, and the batch gather.
std::vector<Workload> case_workloads(double most_elements);
std::vector<Workload> optimizer_workloads(double most_elements);
std::vector<Workload> gather_workloads(double most_elements);

// Turns "tanh[100, 784]" into "tanh-100x784".
std::string size_name(const std::string& text);

// Returns the element counts of large sizes: 2^20, 2^22, ... 2^28, up to `most_elements`.
std::vector<std::int64_t> large_sizes(double most_elements);

}  // namespace gpuvae::bench
