// Executes training steps: one by one, or many per launch as a captured graph.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "gpuvae/graph.h"
#include "gpuvae/types.h"
#include "src/train/train_step.h"

namespace gpuvae {

// Returns the number of steps per graph if the host interrupts the run every `steps` steps. Up to 100 steps
// fit in one graph. For more, the function picks the length from 50 to 100 that minimises the number of
// launches, where the remaining steps are launched one by one.
std::uint64_t steps_a_launch(std::uint64_t steps);

// The step to run, the name of its executor, and the reason why automatic did not choose a faster executor.
struct ChosenStep {
  std::unique_ptr<TrainStep> body;
  std::string name = "graph", why = {};
};

class StepExecutor {
 public:
  // Throws Error if the device does not support the requested executor.
  StepExecutor(ChosenStep step, Executor asked, std::uint64_t steps_between);

  // Queues `steps` steps of step.rows images on the current stream. The first step of each size runs without
  // a capture, so that algorithms are chosen and workspaces are allocated before the capture. Between two
  // calls, only the stream and values in device memory may change.
  void run(const StepContext& step, std::uint64_t steps);

  // Limits the length of graphs that are captured from now on to what suits an interruption every `steps`
  // steps.
  void limit_launches(std::uint64_t steps) { unrolled_ = std::min(unrolled_, steps_a_launch(steps)); }

  bool captures() const { return captures_; }
  std::uint64_t most_a_launch() const { return captures_ ? unrolled_ : 1; }
  std::string text() const;  // the executor and the reason for it: "graph: 100 steps per launch"

 private:
  const CudaGraph* graph_of(const StepContext& step, std::uint64_t steps);

  std::unique_ptr<TrainStep> body_;
  std::string name_;
  Executor asked_;
  bool captures_ = false;
  std::uint64_t unrolled_;
  std::string why_;
  std::set<std::int64_t> warm_;                                         // batch sizes of steps that have run
  std::map<std::pair<std::int64_t, std::uint64_t>, CudaGraph> graphs_;  // key: batch size and steps
  std::uint64_t updates_ = 0;  // number of updates that the graphs assume
};

}  // namespace gpuvae
