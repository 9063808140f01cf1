// What gpuvae_bench runs: every fused operation at the sizes of the presets and at large ones, forward and
// backward, beside its unfused implementation.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/stopwatch.h"

namespace gpuvae::bench {

// An operation on one device with its data, ready to run.
struct Contest {
  Body fused;
  Body unfused = {};  // empty where there is no unfused implementation
  bool unfused_uses_curand = false;
  std::function<std::optional<double>()> error =
      {};  // of the fused results: largest difference to f64, over
           // the largest element; none where f64 would take too long
};

struct Workload {
  std::string operation, size,
      pass;             // "bce_with_logits", "100x784", "training" (forward and backward) or "forward"
  bool large = false;   // beyond what a preset has
  double elements = 0;  // of the largest tensor
  double bytes = 0, flops = 0;  // the least that it must move and do
  std::function<Contest(Device)> prepare = {};

  std::string name() const { return operation + "/" + size + "/" + pass; }
};

// Those whose largest tensor has at most so many elements.
std::vector<Workload> all_workloads(double most_elements);

// By file: operations with cases in tests/cases; optimisers and the batch gather.
std::vector<Workload> case_workloads(double most_elements);
std::vector<Workload> optimizer_workloads(double most_elements);
std::vector<Workload> gather_workloads(double most_elements);

// "tanh[100, 784]" as "tanh-100x784".
std::string size_name(const std::string& text);

// The counts of elements of large sizes: 2^20, 2^22, ... 2^28, as far as allowed.
std::vector<std::int64_t> large_sizes(double most_elements);

}  // namespace gpuvae::bench
