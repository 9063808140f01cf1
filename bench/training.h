// The measurements of train_bench.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gpuvae/error.h"
#include "gpuvae/train.h"

namespace gpuvae::bench {

// The ways to execute a training step, one per line.
struct Executor {
  const char* name;
  void (*choose)(TrainOptions&);
};
inline constexpr Executor kExecutors[] = {
    {"eager", [](TrainOptions& o) { o.executor = gpuvae::Executor::eager; }},
    {"graph", [](TrainOptions& o) { o.executor = gpuvae::Executor::graph; }},
    {"fused", [](TrainOptions& o) { o.executor = gpuvae::Executor::fused; }},
};

// The presets with the validation loss that a run must reach: the upper end of the published or measured
// range after the preset's epochs, as in bench/reproduce (a single number is increased by 0.2 %). 0 means
// that no loss is known. iwae-50 is no preset of the programs but a step of 20 images with 50 draws each.
struct System {
  const char* name;
  bool frey;
  double target;
};
inline constexpr System kSystems[] = {
    {"default", false, 0},        {"keras-mnist", false, 166.5},  {"tf-mnist", false, 91.4},
    {"flex-mnist", false, 154.0}, {"theano-mnist", false, 159.9}, {"keras-frey", true, 0.642},
    {"flex-frey", true, -536},    {"iwae-50", false, 0},
};

struct TrainingOptions {
  std::string device = "auto", data_dir, out, optimizer;
  std::vector<std::string> presets, executors;
  int rounds = 201, threads = 0;
  std::int64_t steps = 0;
  double step_budget = 60, epoch_budget = 60;
  bool quick = false, to_loss = true, probe = false;
};

// Prints a table for readers and writes JSON rows for programs.
class Output {
 public:
  explicit Output(const std::string& path) {
    if (path.empty()) return;
    file_.open(path);
    if (!file_) throw Error("write", fmt::format("expected a file that can be written, got {}", path));
  }
  void row(const nlohmann::json& row) {
    if (file_.is_open()) file_ << row.dump() << std::endl;
  }
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... values) {
    fmt::print(format, std::forward<T>(values)...);
    std::fflush(stdout);
  }

 private:
  std::ofstream file_;
};

// Times one preset and returns the rows of its whole epochs. Rows of steps are written to `out` at once.
std::vector<nlohmann::json> measure_training(const System& system, const TrainingOptions& options,
                                             Device device, Output& out);

}  // namespace gpuvae::bench
