// The interface between executors and training steps.
#pragma once

#include <cstdint>

#include "gpuvae/average.h"
#include "gpuvae/device.h"
#include "gpuvae/random.h"
#include "gpuvae/tensor.h"
#include "src/train/run_state.h"

namespace gpuvae {

struct StepContext {
  Clock clock = {};  // the step of the run, read from state->step
  // The optimiser's finished updates, which also follow from state->step or, with OnNan::skip,
  // state->updates.
  Clock updates = {};
  std::uint64_t number = 0;   // the number of the step in the run, as the host counts; see TrainStep::feed
  std::int64_t rows = 0;      // batch size; smaller for the last batch of an epoch
  RunState* state = nullptr;  // on the device
  Tensor factors = {};        // factors of the learning rate, see Optimizer::step
  WeightAverage* average = nullptr;  // which the step updates after the weights; or null
};

class TrainStep {
 public:
  virtual ~TrainStep() = default;
  // Queues one step: batch, losses, gradients, update and sums. The last kernel advances state->step. The
  // function does not wait for the device, and its host code must not depend on the step number, so that the
  // work can be captured and launched repeatedly.
  virtual void enqueue(const StepContext& step) = 0;
  virtual Device device() const = 0;
  // Whether the host must call feed() before every step, so that a graph has one step.
  virtual bool is_fed() const { return false; }
  // Queues what the step with this number needs from the host.
  virtual void feed(std::uint64_t number, std::int64_t rows) {
    static_cast<void>(number);
    static_cast<void>(rows);
  }
};

}  // namespace gpuvae
