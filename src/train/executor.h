// How training steps reach the device: one by one, or many at a launch as a captured graph.
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

// How many steps a graph should hold where `steps` of them are done between two looks at the run: all, if
// they are at most 100, else 50 to 100, for the fewest launches where those left over are launched one by
// one.
std::uint64_t steps_a_launch(std::uint64_t steps);

// The step that is run, by its executor's name, and why it is not the one that automatic would rather have.
struct ChosenStep {
  std::unique_ptr<TrainStep> body;
  std::string name = "graph", why = {};
};

class StepExecutor {
 public:
  // Throws Error where the device cannot do what is asked for.
  StepExecutor(ChosenStep step, Executor asked, std::uint64_t steps_between);

  // Puts `steps` steps of step.rows images on the current stream. The first step of each size is run as it
  // is, so that algorithms are chosen and workspaces there before the capture. Between calls only the values
  // on the device may change, and the stream.
  void run(const StepContext& step, std::uint64_t steps);

  // Graphs captured from now on hold at most as many steps as suit a look at the run every `steps` steps.
  void limit_launches(std::uint64_t steps) { unrolled_ = std::min(unrolled_, steps_a_launch(steps)); }

  bool captures() const { return captures_; }
  std::uint64_t most_a_launch() const { return captures_ ? unrolled_ : 1; }
  std::string text() const;  // which, and why: "graph: 100 steps a launch"

 private:
  const CudaGraph* graph_of(const StepContext& step, std::uint64_t steps);

  std::unique_ptr<TrainStep> body_;
  std::string name_;
  Executor asked_;
  bool captures_ = false;
  std::uint64_t unrolled_;
  std::string why_;
  std::set<std::int64_t> warm_;                                         // rows of steps that have run
  std::map<std::pair<std::int64_t, std::uint64_t>, CudaGraph> graphs_;  // by rows and steps
  std::uint64_t updates_ = 0;                                           // as the graphs have it
};

}  // namespace gpuvae
