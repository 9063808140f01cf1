// The interface of a training step for executors: one complete step, queued on the current stream.
#pragma once

#include <cstdint>

#include "gpuvae/device.h"
#include "gpuvae/random.h"
#include "gpuvae/tensor.h"
#include "src/train/run_state.h"

namespace gpuvae {

struct StepContext {
  Clock clock = {};           // clock of the step, which reads state->step
  Clock updates = {};         // finished updates of the optimiser, which also reads state->step
  std::int64_t rows = 0;      // batch size; smaller for the last batch of an epoch
  RunState* state = nullptr;  // on the device
  Tensor factors = {};        // factors of the learning rate, see Optimizer::step
};

class TrainStep {
 public:
  virtual ~TrainStep() = default;
  // Queues one step: batch, losses, gradients, update and sums. The last kernel advances state->step. The
  // function does not wait, and its work does not depend on the number of the step on the host, so that it
  // can be captured and launched again.
  virtual void enqueue(const StepContext& step) = 0;
  virtual Device device() const = 0;
};

}  // namespace gpuvae
