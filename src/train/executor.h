// Executes training steps, either one by one or many per launch of a captured graph.
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

// Returns the number of steps per graph, given that the host interrupts the run every `steps` steps. Up to
// 100 steps form one graph. For more, the function picks the length from 50 to 100 that minimises the number
// of launches; steps that remain after the last whole graph are launched one by one.
std::uint64_t steps_a_launch(std::uint64_t steps);

// The step to run, the name of its executor and, if Executor::automatic did not choose the fused executor,
// the reason.
struct ChosenStep {
  std::unique_ptr<TrainStep> body;
  std::string name = "graph", why = {};
};

class [[gnu::visibility("hidden")]] StepExecutor {
 public:
  // Throws Error if the device does not support the requested executor.
  StepExecutor(ChosenStep step, Executor asked, std::uint64_t steps_between);

  // Queues `steps` steps of step.rows images on the current stream. The first step of each batch size runs
  // without a capture, because algorithms must be chosen and workspaces allocated before one. Captured graphs
  // keep the pointers of `step`, so these must be the same in every call. If the stream or step.updates.step
  // changes, the graphs are captured again.
  void run(const StepContext& step, std::uint64_t steps);

  // Limits the length of graphs, so that the host can interrupt the run every `steps` steps.
  void limit_launches(std::uint64_t steps) { unrolled_ = std::min(unrolled_, steps_a_launch(steps)); }

  bool captures() const { return captures_; }
  std::uint64_t most_a_launch() const { return captures_ ? unrolled_ : 1; }
  std::string text() const;  // the executor, with details: "graph: 100 steps per launch"

 private:
  const CudaGraph* graph_of(const StepContext& step, std::uint64_t steps);

  std::unique_ptr<TrainStep> body_;
  std::string name_;
  Executor asked_;
  bool captures_ = false;
  std::uint64_t unrolled_;
  std::string why_;
  std::set<std::int64_t> warm_;  // batch sizes with which a step has run
  std::map<std::pair<std::int64_t, std::uint64_t>, CudaGraph> graphs_;  // key: batch size, number of steps
  std::uint64_t updates_ = 0;  // step.updates.step of the captured graphs
};

}  // namespace gpuvae
